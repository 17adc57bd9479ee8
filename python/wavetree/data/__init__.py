"""Waveforms: records of an event, their time axes and band-limited interpolation."""
