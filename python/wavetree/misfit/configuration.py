"""What is compared with what, and how."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from wavetree.config import Configuration, configuration, plain
from wavetree.data.frequency_band import FrequencyBand
from wavetree.errors import WavetreeError, unknown_name
from wavetree.misfit.registry import MISFITS
from wavetree.user_function import UserFunction

__all__ = ["MisfitConfiguration", "Records"]


class Records(Protocol):
    """The records of an event, as far as a misfit needs them; see `wavetree.data.event_data`."""

    def get_receiver_names(self, receiver_field: str) -> Sequence[str]:
        """Return the names of the receivers that record a field, in the order of its records."""

    @property
    def data(self) -> Mapping[str, np.ndarray]:
        """Of each field (n_receivers, n_components, n_samples)."""

    @property
    def axis(self) -> Any:
        """Times of the samples."""

    @property
    def sampling_rate_in_hertz(self) -> float:
        """Samples per second."""

    def interpolated(self, receiver_field: str, axis: Any) -> np.ndarray:
        """Return the records of a field on another time axis."""


def _function(given: Any) -> Any:
    if isinstance(given, str):
        if given not in MISFITS:
            raise unknown_name("misfit function", given, MISFITS)
        return given
    return UserFunction.of(given) if callable(given) and not isinstance(given, UserFunction) else given


def _json(given: Any) -> Any:
    """Turn values into what they are after being stored, so that a function never sees a difference."""
    given = plain(given)
    try:
        text = json.dumps(given, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"a value cannot be stored as JSON ({error}); give finite numbers, text, or lists and "
            "dictionaries of them"
        ) from None
    if '"type":' in text:
        raise ValueError('the key "type" is reserved; use another name')
    return given


@configuration
class MisfitConfiguration(Configuration):
    """Misfit between the synthetic records of a simulation and observed ones.

    Parameters
    ----------
    name
        Name of the misfit.
    observed_data
        Name of the observed data, "SYNTHETIC_DATA:x", "EXTERNAL_DATA:x" or bare "x" for synthetic ones.
    misfit_function
        Name of a registered misfit, or a function
        f(data_synthetic, data_observed, sampling_rate_in_hertz, **extra) -> (misfit, adjoint_source). It is
        called per receiver with float64 arrays of shape (n_components, n_samples); the adjoint source f† has
        their shape and ∂χ/∂u_n = dt f†_n, forward in time. See `wavetree.user_function` for how functions
        are known.
    receiver_field
        The field that is compared, of any number of components; receivers that do not record it do not count.
    extra_kwargs_misfit_function
        Keyword arguments of the function, kept as JSON: arrays and tuples reach it as lists.
    frequency_band
        What synthetic and observed records are reduced to before they are compared; None for all they hold.

    Raises
    ------
    ValueError
        If the misfit is unknown, its function has no source text or does not take these arguments, or an
        argument cannot be stored as JSON.

    Notes
    -----
    With a frequency band F the misfit is χ(F u, F d), and its adjoint source Fᵀ f† with f† that of χ.
    """

    _left_out_while_none: ClassVar[tuple[str, ...]] = ("frequency_band",)

    name: Annotated[str, Field(min_length=1)]
    _: KW_ONLY
    observed_data: Annotated[str, Field(min_length=1)]
    misfit_function: Annotated[str | UserFunction | Callable[..., Any], BeforeValidator(_function)] = "L2"
    receiver_field: Annotated[str, Field(min_length=1)]
    extra_kwargs_misfit_function: Annotated[dict[str, Any], BeforeValidator(_json)] = Field(
        default_factory=dict
    )
    frequency_band: FrequencyBand | None = None

    @model_validator(mode="after")
    def _takes_arguments(self) -> MisfitConfiguration:
        function = self._callable()
        if isinstance(function, UserFunction):
            if function.function is None:  # read back from a file
                return self
            function = function.function
        try:
            inspect.signature(function).bind(None, None, 1.0, **self.extra_kwargs_misfit_function)
        except TypeError as error:
            raise ValueError(
                f"misfit_function {self._label!r} cannot be called as f(data_synthetic, data_observed, "
                f"sampling_rate_in_hertz{''.join(f', {k}=...' for k in self.extra_kwargs_misfit_function)}): "
                f"{error}; "
                "change the function or extra_kwargs_misfit_function"
            ) from None
        return self

    def evaluate(self, synthetic: Records, observed: Records) -> tuple[float, dict[str, np.ndarray], bool]:
        """Compare the records of an event.

        Parameters
        ----------
        synthetic, observed
            Records of the event; the observed ones are matched by the receivers' names and interpolated onto
            the time axis of the synthetic ones.

        Returns
        -------
        misfit, adjoint_sources, identical
            The misfit χ, the adjoint source of the compared field in the shape of its synthetic data, zero at
            receivers without observed data, and whether the records that were compared are equal.

        Raises
        ------
        ValueError
            If a field is missing, no receiver is in both, the observed records do not cover the time axis or
            hold other components, or for what `evaluate_arrays` refuses.
        """
        field = self.receiver_field
        for kind, records in (("synthetic", synthetic), ("observed", observed)):
            if field not in records.data:
                raise unknown_name(f"field of the {kind} records", field, records.data)
        names = synthetic.get_receiver_names(field)
        place = {name: k for k, name in enumerate(observed.get_receiver_names(field))}
        common = [k for k, name in enumerate(names) if name in place]
        if not common:
            raise ValueError(
                f"misfit {self.name!r}: no receiver of the observed {field} data ({len(place)}) is among "
                f"those of the synthetic ones ({len(names)}); names must agree, the first are "
                f"{list(place)[:1]} and {list(names)[:1]}"
            )
        wanted = observed.interpolated(field, synthetic.axis)[[place[names[k]] for k in common]]
        computed = np.asarray(synthetic.data[field], dtype=np.float64)
        adjoint_source = np.zeros_like(computed)
        misfit, adjoint_source[common] = self.evaluate_arrays(
            computed[common], wanted, synthetic.sampling_rate_in_hertz
        )
        return misfit, {field: adjoint_source}, bool(np.array_equal(computed[common], wanted))

    def evaluate_arrays(
        self, synthetic: np.ndarray, observed: np.ndarray, sampling_rate_in_hertz: float
    ) -> tuple[float, np.ndarray]:
        """Sum the misfits of all receivers.

        Parameters
        ----------
        synthetic, observed
            Records, shape (n_receivers, n_components, n_samples).
        sampling_rate_in_hertz
            Samples per second.

        Returns
        -------
        misfit, adjoint_source
            χ and f† of shape (n_receivers, n_components, n_samples), float64.

        Raises
        ------
        ValueError
            If the shapes differ, a record is not finite, or the function returns something else than a finite
            number and a finite array of the records' shape.
        WavetreeError
            If the function raises something, or is one of the user and was not given again after loading.
        """
        synthetic, observed = np.asarray(synthetic, np.float64), np.asarray(observed, np.float64)
        if synthetic.ndim != 3 or synthetic.shape != observed.shape:
            raise ValueError(
                f"misfit {self.name!r}: synthetic records of shape {synthetic.shape} and observed ones of "
                "shape "
                f"{observed.shape} cannot be compared; both must be (n_receivers, n_components, n_samples)"
            )
        for kind, values in (("synthetic", synthetic), ("observed", observed)):
            if not np.isfinite(values).all():
                bad = int(np.argmin(np.isfinite(values).all(axis=(1, 2))))
                raise ValueError(
                    f"misfit {self.name!r}: the {kind} record of receiver {bad} is not finite; replace it"
                )
        band, rate = self.frequency_band, sampling_rate_in_hertz
        if band is not None:
            synthetic, observed = band.apply(synthetic, rate), band.apply(observed, rate)
        misfits, adjoint_source = [], np.empty_like(synthetic)
        for k, (u, d) in enumerate(zip(synthetic, observed, strict=True)):
            misfit, adjoint_source[k] = self._checked(self._call(u, d, rate, k), u.shape, k)
            misfits.append(misfit)
        return math.fsum(misfits), adjoint_source if band is None else band.apply(adjoint_source, rate)

    @property
    def _label(self) -> str:
        function = self.misfit_function
        return function.name if isinstance(function, UserFunction) else str(function)

    def _callable(self) -> Callable[..., Any]:
        return (
            MISFITS[self.misfit_function] if isinstance(self.misfit_function, str) else self.misfit_function
        )

    def _call(self, synthetic: np.ndarray, observed: np.ndarray, rate: float, receiver: int) -> Any:
        try:
            return self._callable()(synthetic, observed, rate, **self.extra_kwargs_misfit_function)
        except WavetreeError:
            raise
        except Exception as error:
            raise WavetreeError(
                f"misfit_function {self._label!r} at receiver {receiver} raised "
                f"{type(error).__name__}: {error}"
            ) from error

    def _checked(self, result: Any, shape: tuple[int, ...], receiver: int) -> tuple[float, np.ndarray]:
        where = f"misfit_function {self._label!r} at receiver {receiver}"
        if not isinstance(result, tuple) or len(result) != 2:
            raise ValueError(f"{where} returned {type(result).__name__}; expected (misfit, adjoint_source)")
        misfit, source = np.asarray(result[0], np.float64), np.asarray(result[1], np.float64)
        if misfit.size != 1 or not np.isfinite(misfit).all():
            raise ValueError(f"{where} returned the misfit {result[0]!r}; expected a finite number")
        if source.shape != shape:
            raise ValueError(f"{where} returned an adjoint source of shape {source.shape}; expected {shape}")
        if not np.isfinite(source).all():
            raise ValueError(
                f"{where} returned an adjoint source that is not finite; guard divisions and roots"
            )
        return float(misfit.item()), source
