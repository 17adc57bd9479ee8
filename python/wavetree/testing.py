"""Checks of linear maps and gradients, for our tests and for anyone's own set-up.

Randomness comes from a `numpy.random.Generator` that the caller hands in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from wavetree.data.event_data import EventData
from wavetree.errors import unknown_name
from wavetree.misfit.l2 import l2
from wavetree.simulation.simulation import Simulation

__all__ = ["SimulationMisfit", "central_difference_errors", "dot_product_defect", "taylor_slopes"]

Function = Callable[[np.ndarray], float]
LinearMap = Callable[[np.ndarray], np.ndarray]
Misfit = Callable[[np.ndarray, np.ndarray, float], tuple[float, np.ndarray]]


def dot_product_defect(forward: LinearMap, adjoint: LinearMap, x: np.ndarray, y: np.ndarray) -> float:
    """Return how far two linear maps are from being each other's transposes.

    Parameters
    ----------
    forward
        A, from arrays shaped as x to arrays shaped as y.
    adjoint
        Its transpose Aᵀ.
    x, y
        Where the maps are compared; random ones see every entry.

    Returns
    -------
    float
        At most about 1e-12 for maps evaluated in float64, 1e-5 in float32.

    Raises
    ------
    ValueError
        If Ax has not the shape of y or Aᵀy not that of x, or if Ax or y is zero.

    Notes
    -----
    |⟨Ax, y⟩ − ⟨x, Aᵀy⟩| / (‖Ax‖ ‖y‖) with Euclidean products.
    """
    image, preimage = np.asarray(forward(x)), np.asarray(adjoint(y))
    for name, result, like in (("forward(x)", image, y), ("adjoint(y)", preimage, x)):
        if result.shape != np.shape(like):
            raise ValueError(
                f"{name} has shape {result.shape}; expected {np.shape(like)}, that of the other argument."
            )
    scale = float(np.linalg.norm(image) * np.linalg.norm(y))
    if scale == 0.0:
        raise ValueError("forward(x) or y is zero; expected arguments that the map does not lose.")
    return abs(float(np.vdot(image, y)) - float(np.vdot(x, preimage))) / scale


def taylor_slopes(
    function: Function, gradient: np.ndarray, point: np.ndarray, direction: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """Return how fast the remainder of the linear model falls with the step.

    Parameters
    ----------
    function
        χ, from an array to a number.
    gradient
        Its derivative at the point by every entry, shaped as the point.
    point, direction
        Where χ is expanded and along what, arrays of one shape. Along the gradient itself a wrong
        gradient can look right: take a random direction.
    steps
        Step lengths, at least two, all of one sign.

    Returns
    -------
    np.ndarray
        One slope per pair of neighbouring steps, (n_steps − 1,): 2 for the derivative of χ, 1 for anything
        else, less where rounding takes over.

    Raises
    ------
    ValueError
        If the shapes differ or there are fewer than two steps.

    Notes
    -----
    d log r / d log h of r(h) = |χ(p + h d) − χ(p) − h ⟨g, d⟩|, a difference quotient.
    """
    if not np.shape(gradient) == np.shape(point) == np.shape(direction):
        raise ValueError(
            f"gradient, point and direction have the shapes {np.shape(gradient)}, {np.shape(point)} and "
            f"{np.shape(direction)}; expected one shape for all."
        )
    steps = np.asarray(steps, dtype=np.float64)
    if steps.ndim != 1 or steps.size < 2:
        raise ValueError(f"steps has shape {steps.shape}; expected at least two step lengths (n_steps,).")
    here, slope = function(point), float(np.vdot(gradient, direction))
    remainders = [abs(function(point + h * direction) - here - h * slope) for h in steps]
    return np.asarray(np.diff(np.log(remainders)) / np.diff(np.log(np.abs(steps))))


def central_difference_errors(
    function: Function,
    gradient: np.ndarray,
    point: np.ndarray,
    generator: np.random.Generator,
    count: int = 20,
    step: float = 1e-5,
) -> np.ndarray:
    """Return how far random entries of a gradient are from central differences.

    Parameters
    ----------
    function
        χ, from an array to a number.
    gradient
        Its derivative at the point by every entry, shaped as the point.
    point
        Where the derivative was taken.
    generator
        Draws the entries, each once.
    count
        Number of entries; all of them if there are fewer.
    step
        Change of an entry, in its own unit.

    Returns
    -------
    np.ndarray
        |(χ(p + h e_i) − χ(p − h e_i)) / 2h − g_i| / max |g|, (count,).

    Raises
    ------
    ValueError
        If gradient and point differ in shape, or the gradient is zero.
    """
    if np.shape(gradient) != np.shape(point):
        raise ValueError(f"gradient has shape {np.shape(gradient)}; expected {np.shape(point)}, the point's.")
    largest = float(np.max(np.abs(gradient)))
    if largest == 0.0:
        raise ValueError("gradient is zero; expected a point that is not stationary.")
    entries = generator.choice(np.size(point), min(count, np.size(point)), replace=False)
    errors = []
    for entry in entries:
        change = np.zeros(np.shape(point))
        change.flat[entry] = step
        difference = (function(point + change) - function(point - change)) / (2.0 * step)
        errors.append(abs(difference - float(np.ravel(gradient)[entry])) / largest)
    return np.array(errors)


class SimulationMisfit:
    """The misfit of a simulation as a function of its medium, with its derivative.

    Parameters
    ----------
    simulation
        The set-up; its time axis is kept for every medium, so that the misfit is one smooth function.
    observed
        Records to compare with, in number and sampling those of the simulation.
    misfit
        From synthetic and observed records (n_components, n_samples) of one receiver and the sampling rate
        [Hz] to the misfit and its adjoint source.
    wavefield_sampling_interval
        Steps between stored wavefields; the derivative is exact for 1.

    Examples
    --------
    Certify the gradient of a set-up::

        misfit = SimulationMisfit(simulation, observed)
        here = np.zeros(misfit.size)
        direction = generator.standard_normal(misfit.size)
        taylor_slopes(misfit, misfit.gradient(here), here, direction, 10.0 ** -np.arange(2, 6))

    Notes
    -----
    As a function of one flat vector p (size,) the medium is m (1 + p), m the simulation's own: the values of
    all elements and nodes, one parameter after the other. So p has no unit and VP and RHO count alike.
    """

    def __init__(
        self,
        simulation: Simulation,
        observed: EventData,
        misfit: Misfit = l2,
        wavefield_sampling_interval: int = 1,
    ) -> None:
        self._simulation, self._observed = simulation, observed
        self._misfit, self._interval = misfit, wavefield_sampling_interval
        self.material = dict(simulation.mesh.element_nodal_fields)

    @property
    def size(self) -> int:
        """Length of the flat vector."""
        return sum(values.size for values in self.material.values())

    def __call__(self, change: np.ndarray) -> float:
        """Return the misfit of the medium m (1 + p) for relative changes p (size,)."""
        return self.value(self._changed(change))

    def gradient(self, change: np.ndarray) -> np.ndarray:
        """Return the derivative by the relative changes p (size,) at p."""
        derivative = self.derivative(self._changed(change))
        return np.concatenate([(m * derivative[name]).ravel() for name, m in self.material.items()])

    def value(self, material: Mapping[str, np.ndarray]) -> float:
        """Return the misfit of a medium, parameter name to (nelem, n_nodes)."""
        return self._compare(self._with(material).run())[0]

    def derivative(self, material: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the derivative by every value of a medium, parameter name to (nelem, n_nodes)."""
        simulation = self._with(material)
        return simulation.derivative(self._compare(simulation.run(self._interval))[1])

    def _changed(self, change: np.ndarray) -> dict[str, np.ndarray]:
        if np.shape(change) != (self.size,):
            raise ValueError(f"change has shape {np.shape(change)}; expected ({self.size},).")
        parts = np.split(change, np.cumsum([m.size for m in self.material.values()])[:-1])
        return {
            name: m * (1.0 + part.reshape(m.shape))
            for (name, m), part in zip(self.material.items(), parts, strict=True)
        }

    def _with(self, material: Mapping[str, np.ndarray]) -> Simulation:
        given = self._simulation
        mesh = given.mesh.copy()
        for name, values in material.items():
            if name not in self.material:
                raise unknown_name("parameter of the medium", name, self.material)
            mesh.attach_field(name, values)
        return Simulation(
            mesh,
            given.sources,
            given.receivers,
            given.configuration,
            given.boundary_conditions,
            given.precision,
            time_axis=given.time_axis,
        )

    def _compare(self, synthetic: EventData) -> tuple[float, dict[str, np.ndarray]]:
        """The misfit of all receivers and fields, and the adjoint sources by field."""
        total, adjoint_sources = 0.0, {}
        for field, records in synthetic.data.items():
            observed = self._observed.data[field]
            if observed.shape != records.shape:
                raise ValueError(
                    f"observed records of {field!r} have shape {observed.shape}; expected {records.shape}, "
                    "that of the simulation's."
                )
            rate = synthetic.sampling_rate_in_hertz
            results = [self._misfit(u, d, rate) for u, d in zip(records, observed, strict=True)]
            total += sum(value for value, _ in results)
            adjoint_sources[field] = np.stack([source for _, source in results])
        return total, adjoint_sources
