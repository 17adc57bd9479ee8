#include "wavetree/solver/simulation.hpp"

#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include "wavetree/bindings/module.hpp"
#include "wavetree/core/errors.hpp"
#include "wavetree/physics/acoustic.hpp"

namespace wavetree::bindings {

namespace {

// Runs without the GIL. Every 20 ms of a run the watch asks whether a signal is pending; Python answers
// that in its main thread only, everywhere else the control decides.
template <class F>
void run_released(Control& control, F&& f) {
    try {
        const py::gil_scoped_release release;
        Watch watch(control, [] {
            const py::gil_scoped_acquire acquire;
            return PyErr_CheckSignals() != 0;
        });
        f(watch);
    } catch (const Cancelled&) {
        if (PyErr_Occurred()) throw py::error_already_set();
        throw;
    }
    control.set_progress(1.0);
}

std::vector<Side> sides(const Array<Index>& array, const char* name) {
    expect_shape(array, name, {-1, 2});
    std::vector<Side> result;
    for (py::ssize_t i = 0; i < array.shape(0); ++i)
        result.push_back({array.at(i, 0), static_cast<int>(array.at(i, 1))});
    return result;
}

// The stored steps of a forward field with their weights and memory.
template <class Real>
struct StoreArrays {
    Array<Index> steps;
    Array<double> weights;
    Array<Real> snapshots;

    WavefieldStore<Real> view(Index n_dofs) {
        expect_shape(steps, "steps", {-1});
        expect_shape(weights, "weights", {steps.shape(0)});
        expect_shape(snapshots, "snapshots", {steps.shape(0), n_dofs});
        return {{steps.data(), steps.data() + steps.size()},
                {weights.data(), weights.data() + weights.size()},
                const_cast<Real*>(snapshots.data()),
                n_dofs};
    }
};

// A simulation with the Python arrays that its mesh view points into.
template <class Real>
class BoundSimulation {
  public:
    using Sim = Simulation<Acoustic, 2, Real>;

    BoundSimulation(Array<double> points, Array<Index> connectivity, int shape_order, int order,
                    const Array<double>& parameters, const Array<double>& sponge_rate, const Array<Index>& absorbing,
                    const Array<Index>& dirichlet, const std::string& instruction_set, int threads)
        : points_(std::move(points)), connectivity_(std::move(connectivity)) {
        SimulationSetup setup;
        setup.mesh = mesh_view(points_, connectivity_, shape_order);
        if (setup.mesh.dim != 2) throw InputError("points have 3 coordinates; acoustic simulations are 2-D");
        setup.order = order;
        const Index n_nodes = n_local_nodes(order, 2);
        expect_shape(parameters, "parameters", {Acoustic::n_parameters, setup.mesh.n_elements, n_nodes});
        expect_shape(sponge_rate, "sponge_rate", {sponge_rate.size() ? setup.mesh.n_elements : 0, n_nodes});
        setup.parameters = parameters.data();
        setup.sponge_rate = sponge_rate.size() ? sponge_rate.data() : nullptr;
        setup.absorbing = sides(absorbing, "absorbing"), setup.dirichlet = sides(dirichlet, "dirichlet");
        setup.instruction_set = instruction_set, setup.threads = threads;
        const py::gil_scoped_release release;
        sim_ = std::make_unique<Sim>(setup);
    }

    const Sim& sim() const { return *sim_; }

    py::array_t<double> forward(double dt, Index n_steps, const Array<double>& sources, const Array<double>& stf,
                                const Array<double>& receivers, StoreArrays<Real>* store, Control& control) {
        expect_shape(sources, "sources", {-1, 2});
        expect_shape(receivers, "receivers", {-1, 2});
        expect_shape(stf, "source_time_functions", {sources.shape(0), n_steps});
        const auto source_points = sim_->points(sources.data(), sources.shape(0));
        const auto receiver_points = sim_->points(receivers.data(), receivers.shape(0));
        py::array_t<double> records({receivers.shape(0), static_cast<py::ssize_t>(n_steps + 1)});
        WavefieldStore<Real> view{};
        if (store) view = store->view(sim_->n_dofs());
        const typename Sim::Forward run{&source_points,          stf.data(), &receiver_points, records.mutable_data(),
                                        store ? &view : nullptr, nullptr,    nullptr,          nullptr};
        run_released(control, [&](Watch& watch) { sim_->forward({dt, n_steps}, run, watch); });
        return records;
    }

    // Free motion from an initial field and velocity (at step −1/2); returns the field after n_steps.
    py::array_t<double> evolve(double dt, Index n_steps, const Array<double>& field, const Array<double>& velocity,
                               Control& control) {
        expect_shape(field, "field", {sim_->n_dofs()});
        expect_shape(velocity, "velocity", {sim_->n_dofs()});
        const auto none = sim_->points(nullptr, 0);
        py::array_t<double> final_field(sim_->n_dofs());
        const typename Sim::Forward run{&none,   nullptr,      &none,           nullptr,
                                        nullptr, field.data(), velocity.data(), final_field.mutable_data()};
        run_released(control, [&](Watch& watch) { sim_->forward({dt, n_steps}, run, watch); });
        return final_field;
    }

    py::array_t<double> adjoint(double dt, Index n_steps, const Array<double>& receivers,
                                const Array<double>& adjoint_sources, StoreArrays<Real>& store, Control& control) {
        expect_shape(receivers, "receivers", {-1, 2});
        expect_shape(adjoint_sources, "adjoint_sources", {receivers.shape(0), n_steps + 1});
        const auto points = sim_->points(receivers.data(), receivers.shape(0));
        const auto view = store.view(sim_->n_dofs());
        py::array_t<double> gradient({Index{Acoustic::n_parameters}, sim_->n_elements(), Index{sim_->n_nodes()}});
        const typename Sim::Adjoint run{&points, adjoint_sources.data(), &view, gradient.mutable_data()};
        run_released(control, [&](Watch& watch) { sim_->adjoint({dt, n_steps}, run, watch); });
        return gradient;
    }

  private:
    Array<double> points_;
    Array<Index> connectivity_;
    std::unique_ptr<Sim> sim_;
};

template <class Real>
void bind_precision(py::module_& m, const char* store_name, const char* name) {
    using py::arg;
    using Bound = BoundSimulation<Real>;
    py::class_<StoreArrays<Real>>(m, store_name, "Stored steps (n,), weights (n,) and snapshots (n, n_dofs).")
        .def(py::init<Array<Index>, Array<double>, Array<Real>>(), arg("steps").noconvert(), arg("weights").noconvert(),
             arg("snapshots").noconvert());
    py::class_<Bound> bound(m, name, "2-D acoustic simulation on one mesh.");
    bound
        .def(py::init<Array<double>, Array<Index>, int, int, const Array<double>&, const Array<double>&,
                      const Array<Index>&, const Array<Index>&, const std::string&, int>(),
             arg("points").noconvert(), arg("connectivity").noconvert(), arg("shape_order"), arg("order"),
             arg("parameters").noconvert(), arg("sponge_rate").noconvert(), arg("absorbing").noconvert(),
             arg("dirichlet").noconvert(), arg("instruction_set"), arg("threads"))
        .def_property_readonly("n_dofs", [](const Bound& b) { return b.sim().n_dofs(); })
        .def_property_readonly("instruction_set", [](const Bound& b) { return b.sim().instruction_set(); })
        .def_property_readonly("memory_in_bytes", [](const Bound& b) { return b.sim().memory_in_bytes(); })
        .def("forward", &Bound::forward, arg("dt"), arg("n_steps"), arg("sources").noconvert(),
             arg("source_time_functions").noconvert(), arg("receivers").noconvert(), arg("store").none(true),
             arg("control"), "Records (n_receivers, n_steps + 1).")
        .def("evolve", &Bound::evolve, arg("dt"), arg("n_steps"), arg("field").noconvert(), arg("velocity").noconvert(),
             arg("control"), "Field (n_dofs,) after n_steps of free motion.")
        .def("adjoint", &Bound::adjoint, arg("dt"), arg("n_steps"), arg("receivers").noconvert(),
             arg("adjoint_sources").noconvert(), arg("store"), arg("control"),
             "Derivative of the misfit, (n_parameters, n_elements, n_nodes).");
    if constexpr (sizeof(Real) == sizeof(double))
        bound.def("maximum_time_step", [](const Bound& b) {
            const py::gil_scoped_release release;
            return b.sim().maximum_time_step();
        });
}

}  // namespace

void bind_simulation(py::module_& m) {
    m.attr("acoustic_parameters") = py::make_tuple(Acoustic::parameters[0], Acoustic::parameters[1]);
    m.attr("acoustic_units") = py::make_tuple(Acoustic::units[0], Acoustic::units[1]);
    bind_precision<float>(m, "WavefieldStoreFloat32", "AcousticSimulation2DFloat32");
    bind_precision<double>(m, "WavefieldStoreFloat64", "AcousticSimulation2DFloat64");
}

}  // namespace wavetree::bindings
