"""From seeds to pseudo masks: the dense CRF and its relatives."""

from amn_core.refine.dense_crf import CRFConfig, CRFFilters, refine_labels, refine_probabilities

__all__ = ["CRFConfig", "CRFFilters", "refine_labels", "refine_probabilities"]
