"""The app: Streamlit screens over `amn_core`. Only `cached.py` asks the core for a model."""
