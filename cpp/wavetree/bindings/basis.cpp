#include "wavetree/basis/gll.hpp"

#include "wavetree/bindings/module.hpp"

namespace wavetree::bindings {

void bind_basis(py::module_& m) {
    m.def(
        "gll",
        [](int order) {
            Gll gll(order);
            const py::ssize_t n = gll.n();
            return py::make_tuple(to_numpy(std::move(gll.points), {n}), to_numpy(std::move(gll.weights), {n}));
        },
        py::arg("order"), "Gauss-Lobatto-Legendre points and weights of an order on [-1, 1].");
    m.attr("max_order") = max_order;
}

}  // namespace wavetree::bindings
