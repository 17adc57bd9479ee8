"""Figures of meshes, waveforms and inversions, drawn with matplotlib."""
