"""The settings of what proves slowly whether a sensor can be trusted: drift, and a response that is lost."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class TrustSettings(BaseModel):
    """How a sensor is compared, hour by hour, with its neighbours and with what always moved it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=True, description="Whether drift and lost response of sensors are watched.")
    step_s: float = Field(
        default=3600.0, ge=1, le=86400, description="Seconds over which a sensor's readings are averaged."
    )
    drift_warm_up: float = Field(
        default=168.0,
        ge=2,
        description="Steps that teach by how much a sensor usually differs from the others.",
    )
    drift_half: float = Field(
        default=3.0, gt=0, description="A sensor drifts from so many sigmas of one step on."
    )
    drift_least: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description="The least drift that is told, by quantity, in its unit; others as built in.",
    )
    barometer_hpa: float = Field(
        default=2.0, gt=0, description="A change of the barometer by so many hPa is an event to be answered."
    )
    event_steps: int = Field(
        default=24, ge=1, description="A change that takes longer than so many steps is no event."
    )
    response_warm_up: float = Field(
        default=20.0,
        ge=2,
        description="Events that teach how a sensor answers the barometer or its neighbours.",
    )
    response_tie: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="The least correlation with what moves it for a sensor to be judged.",
    )
    response_memory: float = Field(
        default=200.0, ge=2, description="Events over which the usual answer is learned."
    )
    response_recent: float = Field(
        default=8.0, ge=1, description="The newest events that the present answer is taken from."
    )
    response_sure: float = Field(
        default=4.0, gt=0, description="Sigmas by which an answer must fall short to be lost."
    )
    test_gas_warm_up: float = Field(
        default=4.0, ge=2, description="Tests with gas that teach what a meter usually shows of it."
    )
    test_gas_lost: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="A meter is told that shows less of test gas than usual by such a share.",
    )
    test_gas_recent: float = Field(
        default=2.0, ge=1, description="The newest tests with gas that the present answer is taken from."
    )
