// One function per concept, called by the module's initialiser.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "wavetree/mesh/mesh.hpp"

namespace wavetree::bindings {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;  // never converts silently when passed with noconvert

void bind_errors_and_control(py::module_& m);
void bind_basis(py::module_& m);
void bind_mesh(py::module_& m);
void bind_ranks(py::module_& m);
void bind_simulation(py::module_& m);
void bind_diffusion(py::module_& m);
void bind_machine(py::module_& m);

// A view of the caller's arrays; they must outlive it.
Mesh mesh_view(const Array<double>& points, const Array<Index>& connectivity, int shape_order);

// Throws InputError naming the argument unless the array has this shape; −1 allows any length.
void expect_shape(const py::array& array, const char* name, std::initializer_list<Index> shape);

// A new C-contiguous array that takes over a vector's memory.
template <class T>
py::array_t<T> to_numpy(std::vector<T>&& values, std::vector<py::ssize_t> shape) {
    auto* owner = new std::vector<T>(std::move(values));
    const py::capsule free(owner, [](void* p) { delete static_cast<std::vector<T>*>(p); });
    return py::array_t<T>(std::move(shape), owner->data(), free);
}

}  // namespace wavetree::bindings
