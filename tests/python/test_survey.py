from __future__ import annotations

import json

import numpy as np
import pytest

import wavetree.survey
from wavetree.config import load
from wavetree.mesh import box_mesh
from wavetree.survey import Event, EventCollection
from wavetree.survey.receiver.cartesian import Point2D, Point3D, SideSetPoint2D
from wavetree.survey.receiver.cartesian.collections import RingPoint2D
from wavetree.survey.source.cartesian import (
    MomentTensorPoint2D,
    ScalarPoint2D,
    ScalarPoint3D,
    SideSetVectorPoint2D,
)
from wavetree.survey.source.cartesian.collections import ScalarPoint2DRing
from wavetree.survey.stf import Ricker

SOURCE = ScalarPoint2D(x=0.01, y=0.02, f=1.0)
RING = RingPoint2D(x=1.0, y=-2.0, radius=0.5, count=8, fields=["phi"])


def test_dotted_paths() -> None:
    survey = wavetree.survey
    assert survey.source.cartesian.collections.ScalarPoint2DRing is ScalarPoint2DRing
    assert survey.receiver.cartesian.collections.RingPoint2D is RingPoint2D
    assert survey.stf.Ricker is Ricker and survey.event.Event is Event


def test_rings_stand_counter_clockwise_from_x() -> None:
    ring = ScalarPoint2DRing(x=1.0, y=-2.0, radius=0.5, count=4, f=3)
    places = np.array([source.location for source in ring])
    np.testing.assert_allclose(places, [[1.5, -2.0], [1.0, -1.5], [0.5, -2.0], [1.0, -2.5]], atol=1e-15)
    assert len(ring) == 4 == len(ring._sources) and all(source.f == 3.0 for source in ring)
    assert len(RING) == 8 == len(RING._receivers) and list(RING)[2].location == pytest.approx((1.0, -1.5))
    assert len({receiver.name for receiver in RING}) == 8
    assert load(RING.to_dict()) == RING and load(ring.to_dict()) == ring


def test_receiver_name_and_fields() -> None:
    receiver = Point2D(x=0, y=1, network_code="AB", station_code="S1", fields=["phi"])
    assert receiver.name == "AB.S1." and receiver.location == (0.0, 1.0) and receiver.fields == ("phi",)
    for fields, text in (
        (["phy"], "unknown receiver field 'phy'; did you mean 'phi'?"),
        ([], "is empty; name what to record"),
        (["phi", "phi"], "names a field twice"),
    ):
        with pytest.raises(ValueError, match="fields: ") as caught:
            Point2D(x=0, y=1, station_code="a", fields=fields)
        assert text in str(caught.value)
    with pytest.raises(ValueError, match=r"station_code: code 'a\.b' has a dot, slash or blank"):
        Point2D(x=0, y=1, station_code="a.b", fields=["phi"])
    with pytest.raises(ValueError, match=r"RingPoint2D: radius=-0\.5 is not valid: expected greater than 0"):
        RingPoint2D(x=0, y=0, radius=-0.5, count=3, fields=["phi"])
    with pytest.raises(ValueError, match="count=0"):
        ScalarPoint2DRing(x=0, y=0, radius=1.0, count=0, f=1.0)


def test_source_takes_its_own_wavelet() -> None:
    source = ScalarPoint2D(x=0, y=0, f=2, source_time_function=Ricker(3.0))
    assert load(json.loads(json.dumps(source.to_dict()))) == source
    with pytest.raises(
        ValueError, match="source_time_function='Ricker' is not valid: expected an instance of"
    ):
        ScalarPoint2D(x=0, y=0, f=2, source_time_function="Ricker")


def test_event_takes_objects_collections_and_lists() -> None:
    receivers = list(RING)
    assert (
        Event(SOURCE, receivers=RING)
        == Event([SOURCE], receivers=[RING])
        == Event([SOURCE], receivers=receivers)
    )
    event = Event(SOURCE, receivers=receivers[0], event_name="shot 1")
    assert event.sources == (SOURCE,) and event.receivers == (receivers[0],)
    assert event.receiver_names == ["XX.0000."]
    again = load(json.loads(json.dumps(event.to_dict())))
    assert again == event and again.digest() == event.digest()


def test_events_without_a_name_are_named_by_content() -> None:
    one, two = Event(SOURCE, receivers=RING), Event(ScalarPoint2D(x=0, y=0, f=1), receivers=RING)
    assert one.event_name == Event(SOURCE, receivers=RING).event_name != two.event_name
    assert load(one.to_dict()) == one and str(one.event_name).startswith("event_")


def test_event_errors() -> None:
    with pytest.raises(ValueError, match=r"Event: sources=\(\) is empty"):
        Event([], receivers=RING)
    with pytest.raises(ValueError, match=r"Event: receivers=\(\) is empty"):
        Event(SOURCE, receivers=[])
    with pytest.raises(ValueError, match=r"the name 'XX\.0000\.' occurs more than once \(8 such names\)"):
        Event(SOURCE, receivers=[RING, RING])
    second = RingPoint2D(x=0, y=0, radius=1, count=8, fields=["phi"], network_code="YY")
    assert len(Event(SOURCE, receivers=[RING, second]).receivers) == 16
    for name in ("", "a/b", ".hidden"):
        with pytest.raises(ValueError, match="cannot stand in a file name"):
            Event(SOURCE, receivers=RING, event_name=name)
    with pytest.raises(ValueError, match=r"sources\[1\]=3 is not valid"):
        Event([SOURCE, 3], receivers=RING)


def test_collection_from_sources() -> None:
    ring = ScalarPoint2DRing(x=0, y=0, radius=1.0, count=3, f=1.0)
    events = EventCollection.from_sources(sources=ring, receivers=RING, event_name_starting_index=2)
    assert [event.event_name for event in events] == ["event_0002", "event_0003", "event_0004"]
    assert len(events) == 3 and events[1].sources == (list(ring)[1],)
    assert (
        EventCollection.from_sources([next(iter(ring))], list(RING), event_name_starting_index=2)[0]
        == events[0]
    )
    assert load(events.to_dict()) == events


def test_collection_errors() -> None:
    with pytest.raises(ValueError, match=r"sources=\(\) is empty"):
        EventCollection.from_sources([], RING)
    with pytest.raises(ValueError, match="event_name_starting_index=-1 is negative"):
        EventCollection.from_sources([SOURCE], RING, event_name_starting_index=-1)
    event = Event(SOURCE, receivers=RING, event_name="a")
    with pytest.raises(ValueError, match="the name 'a' occurs 2 times"):
        EventCollection([event, event])


def test_events_of_every_kind_of_source_and_receiver() -> None:
    sources = [
        SOURCE,
        MomentTensorPoint2D(x=0.1, y=0.2, mxx=1.0, myy=2.0, mxy=3.0, source_time_function=Ricker(2.0)),
        SideSetVectorPoint2D((0.3, 0.0), direction="y", side_set_name="y1", fx=0.0, fy=1.0),
    ]
    receivers = [
        *RING,
        SideSetPoint2D((0.3, 0.0), direction=(0, 1), side_set_name="y1", station_code="a", fields=["strain"]),
    ]
    event = Event(sources, receivers=receivers, event_name="all")
    again = load(json.loads(json.dumps(event.to_dict())))
    assert again == event and event.dim == 2
    assert [type(s) for s in again.sources] == [type(s) for s in sources]
    assert [type(r) for r in again.receivers] == [type(r) for r in receivers]
    placed = event.resolve(box_mesh(((0.0, 1.0), (0.0, 4.0)), (1, 1)))
    assert placed.event_name == "all" and placed.sources[:2] == event.sources[:2]
    assert placed.sources[2].location == placed.receivers[-1].location == (0.3, 4.0)
    assert Event(SOURCE, receivers=RING).resolve(box_mesh(((0.0, 1.0),) * 2, (1, 1))) == Event(
        SOURCE, receivers=RING
    )


def test_digests_of_events_stay() -> None:
    """Results of projects are named by it: another one makes all of them be computed anew."""
    source = ScalarPoint2D(x=0.25, y=0.5, f=1.0, source_time_function=Ricker(3.0))
    ring = RingPoint2D(x=0, y=0, radius=0.5, count=1, fields=["phi"])
    event = Event(source, receivers=ring, event_name="shot")
    assert event.digest() == "74af59911770f93722d5c02f2b37615b5841ce7cd820efca9cb509472b67e48d"


def test_one_event_has_one_dimension() -> None:
    deep = Point3D(x=0, y=0, z=0, station_code="deep", fields=["phi"])
    text = (
        "Event: sources and receivers hold a ScalarPoint2D with 2 dimensions and a Point3D with 3 dimensions"
    )
    with pytest.raises(ValueError, match=text):
        Event(SOURCE, receivers=[*RING, deep])
    in_space = ScalarPoint3D(x=0, y=0, z=0, f=1)
    with pytest.raises(ValueError, match="hold a ScalarPoint2D with 2 .* and a ScalarPoint3D with 3"):
        Event([SOURCE, in_space], receivers=RING)
    assert Event(in_space, receivers=deep).dim == 3
    with pytest.raises(
        ValueError, match="events hold a Event with 2 dimensions and a Event with 3 dimensions"
    ):
        EventCollection([Event(SOURCE, receivers=RING), Event(in_space, receivers=deep)])
    with pytest.raises(
        ValueError, match=r"sources\[0\]=Point3D.* is not valid: expected an instance of Source"
    ):
        Event(deep, receivers=deep)
