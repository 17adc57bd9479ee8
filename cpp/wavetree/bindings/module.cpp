#include "wavetree/bindings/module.hpp"

#include "wavetree/core/errors.hpp"

namespace wavetree::bindings {

Mesh mesh_view(const Array<double>& points, const Array<Index>& connectivity, int shape_order) {
    expect_shape(points, "points", {-1, -1});
    const int dim = static_cast<int>(points.shape(1));
    if (shape_order < 1 || shape_order > 4)
        throw InputError("shape_order is " + std::to_string(shape_order) + "; expected 1 to 4");
    if (dim != 2 && dim != 3) throw InputError("points have " + std::to_string(dim) + " coordinates; expected 2 or 3");
    expect_shape(connectivity, "connectivity", {-1, power(shape_order + 1, dim)});
    Mesh mesh{dim, shape_order, points.shape(0), connectivity.shape(0), points.data(), connectivity.data()};
    mesh.check();
    return mesh;
}

void expect_shape(const py::array& array, const char* name, std::initializer_list<Index> shape) {
    bool good = array.ndim() == static_cast<py::ssize_t>(shape.size());
    std::string expected, found;
    py::ssize_t d = 0;
    for (Index length : shape) {
        expected += (d ? ", " : "") + (length < 0 ? std::string("any") : std::to_string(length));
        good = good && (length < 0 || array.shape(d) == length);
        ++d;
    }
    for (d = 0; d < array.ndim(); ++d) found += (d ? ", " : "") + std::to_string(array.shape(d));
    if (!good) throw InputError(std::string(name) + " has shape (" + found + "); expected (" + expected + ")");
}

}  // namespace wavetree::bindings

PYBIND11_MODULE(_core, m) {
    using namespace wavetree::bindings;
    m.doc() = "Compiled core of wavetree.";
    bind_errors_and_control(m);
    bind_basis(m);
    bind_mesh(m);
    bind_ranks(m);
    bind_simulation(m);
    bind_diffusion(m);
    bind_machine(m);
}
