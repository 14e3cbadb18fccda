"""From seeds to pseudo masks: the dense CRF, and PAMR as the cheap choice."""

from amn_core.refine.dense_crf import CRFConfig, CRFFilters, refine_labels, refine_probabilities
from amn_core.refine.pamr import PAMRConfig, pamr_label_sets, pamr_labels, pamr_probabilities

__all__ = [
    "CRFConfig", "CRFFilters", "PAMRConfig", "pamr_label_sets", "pamr_labels", "pamr_probabilities", "refine_labels",
    "refine_probabilities",
]
