"""What Explore says where there is nothing to show, and the way out."""

import streamlit as st

from app import state
from app.cache import runs as cached
from app.words.text import escape


def render_no_runs() -> None:
    """Say what to do where there is no run at all."""
    st.header("No runs yet")
    st.markdown(
        "A run is one method on one data set. Make the first ones with "
        "`python -m amn_core reproduce --data scenes --out runs/scenes`, or put run folders into `runs/`."
    )


def render_no_images(run, groups: dict) -> None:
    """Say what to do where the counts are here but the photographs are not."""
    data = run.meta["data"]
    kind = data.partition(":")[0]
    st.header("The photographs of this data set are not on this machine")
    st.markdown(
        f"These runs were made on `{data}`. Their curves and tables are all here; to see the images, add the folder "
        f"of the data set on **Data and runs**, or start the app with `AMN_DATA={kind}:FOLDER`."
    )
    st.page_link("screens/data_and_runs.py", label="Data and runs", icon=":material/arrow_forward:")
    others = [key for key, members in groups.items() if cached.get_dataset(next(iter(members.values())))]
    for key in others[:2]:
        st.button(f"Look at {escape(cached.describe_group(key))}", on_click=lambda key=key: state.put("data", key))
