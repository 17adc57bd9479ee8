#include "wavetree/solver/simulation.hpp"

#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include <optional>

#include "wavetree/bindings/ranks.hpp"
#include "wavetree/core/errors.hpp"

namespace wavetree::bindings {

namespace {

// Runs without the GIL. Every 20 ms of a run the watch asks whether a signal is pending; Python answers
// that in its main thread only, everywhere else the control decides. Until the run ends it may need Python, so what the
// signal's handler has raised waits.
template <class F>
void run_released(Control& control, F&& f) {
    std::optional<py::error_already_set> raised;
    try {
        const py::gil_scoped_release release;
        Watch watch(control, [&] {
            const py::gil_scoped_acquire acquire;
            if (PyErr_CheckSignals() == 0) return false;
            raised.emplace();
            return true;
        });
        f(watch);
    } catch (...) {
        if (raised) throw *raised;
        throw;
    }
}

std::vector<Side> sides(const Array<Index>& array, const char* name) {
    expect_shape(array, name, {-1, 2});
    std::vector<Side> result;
    for (py::ssize_t i = 0; i < array.shape(0); ++i)
        result.push_back({array.at(i, 0), static_cast<int>(array.at(i, 1))});
    return result;
}

// The arrays of one medium, elements of sides numbered within it.
struct MediumArrays {
    std::string physics;
    Array<Index> elements;
    Array<double> coefficients, sponge_rate;
    Array<Index> absorbing, dirichlet, ghosts;

    MediumSetup view(const Mesh& mesh, Index n_ghosts, Index n_nodes) const {
        const Index n = elements.size();
        expect_shape(coefficients, "coefficients", {1 + physics_traits(physics, mesh.dim).n_stiffness, n, n_nodes});
        expect_shape(sponge_rate, "sponge_rate", {sponge_rate.size() ? n : 0, n_nodes});
        MediumSetup setup;
        setup.physics = physics;
        setup.elements = listed(elements, "elements", 0, mesh.n_elements);
        setup.ghosts = listed(ghosts, "ghosts", mesh.n_elements, mesh.n_elements + n_ghosts);
        setup.coefficients = coefficients.data();
        setup.sponge_rate = sponge_rate.size() ? sponge_rate.data() : nullptr;
        setup.absorbing = sides(absorbing, "absorbing"), setup.dirichlet = sides(dirichlet, "dirichlet");
        return setup;
    }

  private:
    static std::vector<Index> listed(const Array<Index>& array, const char* name, Index begin, Index end) {
        expect_shape(array, name, {-1});
        std::vector<Index> result(array.data(), array.data() + array.size());
        for (Index e : result)
            if (e < begin || e >= end)
                throw InputError(std::string(name) + " name element " + std::to_string(e) + "; expected " +
                                 std::to_string(begin) + " to " + std::to_string(end - 1));
        return result;
    }
};

// The stored steps of a forward field with their weights and memory.
template <class Real>
struct StoreArrays {
    Array<Index> steps;
    Array<double> weights;
    Array<Real> snapshots;

    WavefieldStore<Real> view(Index n_values) {
        expect_shape(steps, "steps", {-1});
        expect_shape(weights, "weights", {steps.shape(0)});
        expect_shape(snapshots, "snapshots", {steps.shape(0), n_values});
        return {{steps.data(), steps.data() + steps.size()},
                {weights.data(), weights.data() + weights.size()},
                const_cast<Real*>(snapshots.data()),
                n_values};
    }
};

// Samples of sources or receivers, one list entry per medium.
struct Series {
    const PointOperator* points;
    Array<int> derivative;
    Array<double> samples;

    void check(Index n_samples) const {
        expect_shape(derivative, "derivative", {points->n_rows()});
        expect_shape(samples, "samples", {points->n_rows(), n_samples});
        for (py::ssize_t i = 0; i < derivative.size(); ++i)
            if (derivative.at(i) < 0 || derivative.at(i) > 2)
                throw InputError("derivative is " + std::to_string(derivative.at(i)) + "; expected 0, 1 or 2");
    }
};

template <class Real>
class BoundSimulation {
  public:
    using Sim = Simulation<Real>;
    using State = typename Sim::State;

    // share: none where there is one rank.
    BoundSimulation(const Array<double>& points, const Array<Index>& connectivity, int shape_order, int order,
                    const std::vector<MediumArrays>& media, const std::string& instruction_set, int threads,
                    bool events_in_lanes, const std::optional<Share>& share)
        : points_(points), connectivity_(connectivity), ranks_(share ? share->bind() : nullptr) {
        MeshSetup mesh{mesh_view(points_, connectivity_, shape_order), order, instruction_set, threads,
                       events_in_lanes ? Lanes::events : Lanes::elements};
        if (share) mesh.ranks = ranks_.get(), mesh.ghosts = share->ghosts(mesh.mesh.n_elements);
        const auto n_ghosts = static_cast<Index>(mesh.ghosts.rank.size());
        mesh.mesh.n_elements -= n_ghosts;
        std::vector<MediumSetup> setups;
        for (const MediumArrays& medium : media)
            setups.push_back(medium.view(mesh.mesh, n_ghosts, n_local_nodes(order, mesh.mesh.dim)));
        const py::gil_scoped_release release;
        sim_ = std::make_unique<Sim>(mesh, setups);
    }

    const Sim& sim() const { return *sim_; }

    const Medium<Real>& medium(std::size_t m) const {
        if (m >= sim_->n_media()) throw InputError("there is no medium " + std::to_string(m));
        return sim_->medium(m);
    }

    PointOperator rows(std::size_t m, const Array<double>& positions, const Array<Index>& elements,
                       const Array<Index>& point, const Array<double>& coefficients, int field) const {
        const int dim = static_cast<int>(points_.shape(1));
        expect_shape(positions, "positions", {-1, dim});
        expect_shape(elements, "elements", {positions.shape(0)});
        check_field(field);
        expect_shape(point, "point", {-1});
        const bool second = coefficients.ndim() == 3 && coefficients.shape(2) == n_space_derivatives(dim, 2);
        const int highest = second ? 2 : 1;
        expect_shape(coefficients, "coefficients",
                     {point.size(), medium(m).n_components(), n_space_derivatives(dim, highest)});
        for (py::ssize_t i = 0; i < point.size(); ++i)
            if (point.at(i) < 0 || point.at(i) >= positions.shape(0))
                throw InputError("point names position " + std::to_string(point.at(i)) + "; there are " +
                                 std::to_string(positions.shape(0)));
        return medium(m).points({positions.shape(0), positions.data(), elements.data(), point.size(), point.data(),
                                 coefficients.data(), highest},
                                field);
    }

    Array<Real> field(const State& state, std::size_t m, bool velocity, int field) const {
        const auto& u = state.fields.at(m).u;
        check_field(field);
        Array<Real> out({medium(m).n_dofs(), Index{medium(m).n_components()}});
        Real* to = out.mutable_data();
        for (Index dof = 0; dof < medium(m).n_dofs(); ++dof)
            for (int c = 0; c < medium(m).n_components(); ++c) {
                const Index i = medium(m).stiffness().value(dof, c) + field;
                const Index place = medium(m).stiffness().numbering().place(dof);
                *to++ = velocity ? static_cast<Real>(medium(m).velocity(state.fields[m], state.schemes[m], place, i))
                                 : u[i];
            }
        return out;
    }

    py::array_t<Index> stored_values(std::size_t m) const {
        Index first = 0;
        for (std::size_t k = 0; k < m && k < sim_->n_media(); ++k) first += medium(k).n_values();
        const Medium<Real>& of = medium(m);
        py::array_t<Index> out({of.n_dofs(), Index{of.n_components()}});
        Index* to = out.mutable_data();
        for (Dof place : of.stiffness().numbering().places())
            for (int c = 0; c < of.n_components(); ++c) *to++ = first + c * of.n_places() + place;
        return out;
    }

    // Field and momentum as the time steps have them: every medium's values, see `Medium::store`.
    void save(const State& state, py::array_t<Real, py::array::c_style> out, int field) const {
        check_field(field);
        expect_shape(out, "out", {2, sim_->n_values()});
        Real* to = out.mutable_data();
        for (auto values : {&Field<Real>::u, &Field<Real>::z})
            for (std::size_t m = 0; m < sim_->n_media(); to += medium(m++).n_values())
                medium(m).store(state.fields[m].*values, field, to);
    }

    void load(State& state, const Array<Real>& from, int field) const {
        check_field(field);
        expect_shape(from, "from", {2, sim_->n_values()});
        const Real* values = from.data();
        for (auto to : {&Field<Real>::u, &Field<Real>::z})
            for (std::size_t m = 0; m < sim_->n_media(); values += medium(m++).n_values())
                medium(m).restore(values, field, state.fields[m].*to);
        for (std::size_t m = 0; m < sim_->n_media(); ++m) medium(m).stiffness().spread(state.fields[m].u.data());
    }

    void set_field(State& state, std::size_t m, const Array<Real>& values, bool velocity) const {
        const Stiffness<Real>& stiffness = medium(m).stiffness();
        expect_shape(values, "values", {medium(m).n_dofs(), medium(m).n_components()});
        const Real* from = values.data();
        for (Index dof = 0; dof < medium(m).n_dofs(); ++dof)
            for (int c = 0; c < medium(m).n_components(); ++c, ++from) {
                const Index i = stiffness.value(dof, c);
                if (velocity)
                    medium(m).set_velocity(state.fields[m], state.schemes[m], i, *from);
                else
                    state.fields[m].u[i] = *from;
            }
        stiffness.spread(state.fields[m].u.data());
    }

    void forward(State& state, Index end, std::vector<Series>& sources, std::vector<Series>& receivers, Index n_samples,
                 Index source_end, std::vector<StoreArrays<Real>*>& stores, std::optional<Array<double>> energy,
                 Control& control) const {
        const auto views = of_stores(stores);
        if (energy) expect_shape(*energy, "energy", {n_samples});
        if (end > n_samples) throw InputError("end is beyond the samples of sources and receivers");
        typename Sim::Forward run{of_sources(sources, n_samples),
                                  of_receivers(receivers, n_samples),
                                  n_samples,
                                  source_end,
                                  pointers(views),
                                  energy ? energy->mutable_data() : nullptr};
        run_released(control, [&](Watch& watch) { sim_->forward(state, end, run, watch); });
    }

    void adjoint(State& state, Index begin, std::vector<Series>& receivers, std::vector<Series>& sources,
                 Index n_samples, std::vector<StoreArrays<Real>*>& stores, Control& control) const {
        if (state.step >= n_samples) throw InputError("the adjoint state is beyond the adjoint sources");
        const auto views = of_stores(stores);
        typename Sim::Adjoint run{of_sources(receivers, n_samples), of_receivers(sources, n_samples), n_samples,
                                  pointers(views)};
        run_released(control, [&](Watch& watch) { sim_->adjoint(state, begin, run, watch); });
    }

    py::array_t<double> gradient(const State& state, std::size_t m, int field) const {
        const Medium<Real>& of = medium(m);
        check_field(field);
        const auto n = static_cast<Index>(of.elements().size());
        py::array_t<double> out(std::vector<Index>{1 + of.physics().n_stiffness, n, of.n_nodes()});
        of.gradient(state.sums.at(m), state.schemes[m], field, out.mutable_data());
        return out;
    }

  private:
    std::vector<typename Sim::Sources> of_sources(const std::vector<Series>& series, Index n_samples) const {
        check(series, n_samples);
        std::vector<typename Sim::Sources> result;
        for (const Series& one : series) result.push_back({one.points, one.samples.data()});
        return result;
    }
    std::vector<typename Sim::Receivers> of_receivers(std::vector<Series>& series, Index n_samples) const {
        check(series, n_samples);
        std::vector<typename Sim::Receivers> result;
        for (Series& one : series) result.push_back({one.points, one.derivative.data(), one.samples.mutable_data()});
        return result;
    }
    std::vector<WavefieldStore<Real>> of_stores(const std::vector<StoreArrays<Real>*>& stores) const {
        if (!stores.empty() && static_cast<int>(stores.size()) > sim_->n_fields())
            throw InputError(std::to_string(stores.size()) + " stores; expected one per field or none");
        std::vector<WavefieldStore<Real>> views;
        for (StoreArrays<Real>* store : stores) views.push_back(store->view(sim_->n_values()));
        return views;
    }
    static typename Sim::Stores pointers(const std::vector<WavefieldStore<Real>>& views) {
        typename Sim::Stores result;
        for (const auto& view : views) result.push_back(&view);
        return result;
    }
    void check_field(int field) const {
        if (field < 0 || field >= sim_->n_fields()) throw InputError("there is no field " + std::to_string(field));
    }
    void check(const std::vector<Series>& series, Index n_samples) const {
        if (series.size() % sim_->n_media() || series.size() > sim_->n_media() * sim_->n_fields())
            throw InputError(std::to_string(series.size()) + " series; expected one per medium and field or none");
        for (const Series& one : series) one.check(n_samples);
    }

    Array<double> points_;  // keeps alive what the mesh view points into
    Array<Index> connectivity_;
    std::unique_ptr<Ranks> ranks_;
    std::unique_ptr<Sim> sim_;
};

template <class Real>
void bind_runs(py::class_<BoundSimulation<Real>>& bound);

template <class Real>
void bind_arrays(py::module_& m, const std::string& suffix) {
    using py::arg;
    using State = typename BoundSimulation<Real>::State;
    py::class_<StoreArrays<Real>>(m, ("WavefieldStore" + suffix).c_str(),
                                  "Stored steps (n,), weights (n,) and snapshots (n, n_values).")
        .def(py::init<Array<Index>, Array<double>, Array<Real>>(), arg("steps").noconvert(), arg("weights").noconvert(),
             arg("snapshots").noconvert());
    py::class_<State>(m, ("State" + suffix).c_str(), "All that one time step hands to the next.")
        .def_readonly("step", &State::step)
        .def("copy", [](const State& state) { return State(state); });
}

template <class Real>
void bind_precision(py::module_& m, const std::string& suffix) {
    using py::arg;
    using Bound = BoundSimulation<Real>;
    bind_arrays<Real>(m, suffix);
    py::class_<Bound> bound(m, ("Simulation" + suffix).c_str(), "Waves in fluid, solid or both on one mesh.");
    bound
        .def(py::init<const Array<double>&, const Array<Index>&, int, int, const std::vector<MediumArrays>&,
                      const std::string&, int, bool, const std::optional<Share>&>(),
             arg("points").noconvert(), arg("connectivity").noconvert(), arg("shape_order"), arg("order"), arg("media"),
             arg("instruction_set"), arg("threads"), arg("events_in_lanes") = false, arg("share") = py::none())
        .def_property_readonly(
            "n_fields", [](const Bound& b) { return b.sim().n_fields(); }, "Events that run at a time.")
        .def_property_readonly("n_values", [](const Bound& b) { return b.sim().n_values(); })
        .def_property_readonly("instruction_set", [](const Bound& b) { return b.sim().instruction_set(); })
        .def_property_readonly("memory_in_bytes", [](const Bound& b) { return b.sim().memory_in_bytes(); })
        .def(
            "n_dofs", [](const Bound& b, std::size_t at) { return b.medium(at).n_dofs(); }, arg("medium"))
        .def(
            "n_components", [](const Bound& b, std::size_t at) { return b.medium(at).n_components(); }, arg("medium"))
        .def(
            "element_dofs",
            [](const Bound& b, std::size_t at) {
                const auto n = static_cast<Index>(b.medium(at).elements().size());
                auto dofs = b.medium(at).element_dofs();
                return to_numpy(std::move(dofs), {n, b.medium(at).n_nodes()});
            },
            arg("medium"), "Degrees of freedom (n_elements, n_nodes) of a medium.")
        .def("stored_values", &Bound::stored_values, arg("medium"),
             "Where the values (n_dofs, n_components) of a medium stand among the n_values of a stored field.")
        .def("rows", &Bound::rows, arg("medium"), arg("positions").noconvert(), arg("elements").noconvert(),
             arg("point").noconvert(), arg("coefficients").noconvert(), arg("field") = 0,
             "Rows at positions (n_points, dim) in elements (n_points,) of a medium, -1 for those on other ranks: "
             "point (n_rows,), coefficients (n_rows, n_components, 1 + dim or 6, 10).");
    bind_runs(bound);
}

template <class Real>
void bind_runs(py::class_<BoundSimulation<Real>>& bound) {
    using py::arg;
    using Bound = BoundSimulation<Real>;
    bound
        .def(
            "start", [](const Bound& b, double dt, Index step) { return b.sim().start(dt, step); }, arg("dt"),
            arg("step") = 0, "A field at rest, at a step.")
        .def(
            "start_adjoint",
            [](const Bound& b, double dt, Index n_steps) { return b.sim().start_adjoint(dt, n_steps); }, arg("dt"),
            arg("n_steps"), "An adjoint field at rest after the last step.")
        .def("field", &Bound::field, arg("state"), arg("medium"), arg("velocity") = false, arg("field") = 0,
             "Field, or velocity half a step before, of a medium (n_dofs, n_components).")
        .def("set_field", &Bound::set_field, arg("state"), arg("medium"), arg("values").noconvert(),
             arg("velocity") = false)
        .def("save", &Bound::save, arg("state"), arg("out").noconvert(), arg("field") = 0,
             "Write all that `load` needs to go on from a state, (2, n_values).")
        .def("load", &Bound::load, arg("state"), arg("values").noconvert(), arg("field") = 0)
        .def("forward", &Bound::forward, arg("state"), arg("end"), arg("sources"), arg("receivers"), arg("n_samples"),
             arg("source_end"), arg("stores"), arg("energy").noconvert().none(true), arg("control"),
             "Advance a state to a step; samples (n_rows, n_samples) of sources are read, of receivers written.")
        .def("adjoint", &Bound::adjoint, arg("state"), arg("begin"), arg("receivers"), arg("sources"), arg("n_samples"),
             arg("stores"), arg("control"), "Take an adjoint state back to a step.")
        .def("gradient", &Bound::gradient, arg("state"), arg("medium"), arg("field") = 0,
             "Derivative by the coefficients of a medium, (n_coefficients, n_elements, n_nodes).");
    if constexpr (sizeof(Real) == sizeof(double))
        bound.def("maximum_time_step", [](const Bound& b) {
            const py::gil_scoped_release release;
            return b.sim().maximum_time_step();
        });
}

// (n_rows, n_steps + 1) of the samples' (n_rows, n_steps), see `wavetree::adjoint_samples`.
py::array_t<double> adjoint_rows(const Array<int>& derivative, double dt, const Array<double>& samples) {
    expect_shape(samples, "samples", {derivative.size(), -1});
    const Index n_steps = samples.shape(1);
    py::array_t<double> out({static_cast<Index>(derivative.size()), n_steps + 1});
    for (Index row = 0; row < derivative.size(); ++row)
        adjoint_samples(derivative.data()[row], dt, n_steps, samples.data() + row * n_steps,
                        out.mutable_data() + row * (n_steps + 1));
    return out;
}

}  // namespace

void bind_simulation(py::module_& m) {
    using py::arg;
    m.def("adjoint_samples", &adjoint_rows, arg("derivative").noconvert(), arg("dt"), arg("samples").noconvert(),
          "Adjoint sources by the field at steps 0 to n_steps, from those by samples (n_rows, n_steps).");
    py::class_<MediumArrays>(m, "Medium", "The elements of one physics, with sides (n, 2) numbered within it.")
        .def(py::init<std::string, Array<Index>, Array<double>, Array<double>, Array<Index>, Array<Index>,
                      Array<Index>>(),
             arg("physics"), arg("elements").noconvert(), arg("coefficients").noconvert(),
             arg("sponge_rate").noconvert(), arg("absorbing").noconvert(), arg("dirichlet").noconvert(),
             arg("ghosts").noconvert() = Array<Index>(0));
    py::class_<PointOperator>(m, "PointOperator", "Rows of sources or receivers in one medium.")
        .def_property_readonly("n_rows", &PointOperator::n_rows);
    py::class_<Series>(m, "Series", "Rows with their time derivatives (n_rows,) and samples (n_rows, n_samples).")
        .def(py::init([](const PointOperator& points, const Array<int>& derivative, const Array<double>& samples) {
                 return Series{&points, derivative, samples};
             }),
             arg("points"), arg("derivative").noconvert(), arg("samples").noconvert(), py::keep_alive<1, 2>());
    bind_precision<float>(m, "Float32");
    bind_precision<double>(m, "Float64");
}

}  // namespace wavetree::bindings
