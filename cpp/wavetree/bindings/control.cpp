#include "wavetree/core/control.hpp"

#include <pybind11/stl.h>

#include "wavetree/bindings/module.hpp"
#include "wavetree/core/errors.hpp"
#include "wavetree/kernels/isa.hpp"

namespace wavetree::bindings {

void bind_errors_and_control(py::module_& m) {
    // InputError is a std::invalid_argument and so a ValueError without further ado.
    const auto errors = py::module_::import("wavetree.errors");
    py::register_local_exception<Cancelled>(m, "Cancelled", errors.attr("Cancelled"));
    py::register_local_exception<Unstable>(m, "Unstable", errors.attr("SimulationFailed"));
    py::register_local_exception<RankError>(m, "RankError", errors.attr("RankError"));

    py::class_<Control>(m, "Control", "Progress of a run and the request to stop it; safe to use from any thread.")
        .def(py::init<>())
        .def("cancel", &Control::cancel, "Ask the run to stop at its next look, within some 20 ms.")
        .def_property_readonly("cancelled", &Control::cancelled)
        .def_property("progress", &Control::progress, &Control::set_progress, "Part of the run that is done, 0 to 1.");

    m.def(
        "instruction_sets",
        [] {
            std::vector<std::string> names;
            for (const KernelSet* set : usable_kernel_sets()) names.emplace_back(set->name);
            return py::tuple(py::cast(names));
        },
        "Kernel sets that this build has and this processor runs, best first.");
}

}  // namespace wavetree::bindings
