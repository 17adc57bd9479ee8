#include "wavetree/kernels/machine.hpp"

#include "wavetree/bindings/module.hpp"

namespace wavetree::bindings {

void bind_machine(py::module_& m) {
    m.def(
        "multiply_add_rate",
        [](const std::string& instruction_set, bool single, int threads, double seconds) {
            const py::gil_scoped_release release;
            return multiply_add_rate({instruction_set, threads, seconds}, single);
        },
        py::arg("instruction_set"), py::arg("single"), py::arg("threads"), py::arg("seconds"),
        "Floating-point operations a second of multiply-adds in registers, all threads together.");
    m.def(
        "copy_rate",
        [](const std::string& instruction_set, Index n_bytes, int threads, double seconds) {
            const py::gil_scoped_release release;
            return copy_rate({instruction_set, threads, seconds}, n_bytes);
        },
        py::arg("instruction_set"), py::arg("n_bytes"), py::arg("threads"), py::arg("seconds"),
        "Bytes read and written a second by a copy between arrays of n_bytes together, all threads together.");
    m.def(
        "triad_rate",
        [](const std::string& instruction_set, Index n_bytes, int threads, double seconds) {
            const py::gil_scoped_release release;
            return triad_rate({instruction_set, threads, seconds}, n_bytes);
        },
        py::arg("instruction_set"), py::arg("n_bytes"), py::arg("threads"), py::arg("seconds"),
        "Bytes read and written a second by a + s b into a third array, of n_bytes together, all threads together.");
}

}  // namespace wavetree::bindings
