"""Inversion: the tree of iterations and the stages of each."""

from wavetree.inversion.configuration import InverseProblemConfiguration, SiteConfig
from wavetree.inversion.pseudo_hessian import PseudoHessian

__all__ = ["InverseProblemConfiguration", "PseudoHessian", "SiteConfig"]
