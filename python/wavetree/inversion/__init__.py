"""Inversion: the tree of iterations and the stages of each."""

from wavetree.inversion.configuration import InverseProblemConfiguration, SiteConfig

__all__ = ["InverseProblemConfiguration", "SiteConfig"]
