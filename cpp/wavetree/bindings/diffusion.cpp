#include "wavetree/solver/diffusion.hpp"

#include <pybind11/stl.h>

#include <optional>

#include "wavetree/bindings/ranks.hpp"
#include "wavetree/core/errors.hpp"

namespace wavetree::bindings {

namespace {

class BoundDiffusion {
  public:
    BoundDiffusion(Array<double> points, Array<Index> connectivity, int shape_order, int order,
                   const Array<double>& tensor, const std::string& instruction_set, int threads,
                   const std::optional<Share>& share)
        : points_(std::move(points)), connectivity_(std::move(connectivity)), ranks_(share ? share->bind() : nullptr) {
        DiffusionSetup setup;
        setup.mesh = mesh_view(points_, connectivity_, shape_order);
        setup.order = order, setup.instruction_set = instruction_set, setup.threads = threads;
        if (share) setup.ranks = ranks_.get(), setup.ghosts = share->ghosts(setup.mesh.n_elements);
        setup.mesh.n_elements -= static_cast<Index>(setup.ghosts.rank.size());
        const int dim = setup.mesh.dim;
        expect_shape(tensor, "tensor", {dim * (dim + 1) / 2, setup.mesh.n_elements, n_local_nodes(order, dim)});
        setup.tensor = tensor.data();
        const py::gil_scoped_release release;
        operator_ = std::make_unique<DiffusionOperator>(setup);
    }

    py::array_t<double> apply(const Array<double>& values) const {
        expect_shape(values, "values", {operator_->n_dofs()});
        py::array_t<double> result(operator_->n_dofs());
        std::copy_n(values.data(), operator_->n_dofs(), result.mutable_data());
        double* out = result.mutable_data();
        const py::gil_scoped_release release;
        operator_->apply(out);
        return result;
    }

    py::array_t<Index> element_dofs() const {
        auto dofs = operator_->element_dofs();
        const auto n_nodes = static_cast<py::ssize_t>(operator_->n_nodes());
        const auto n = static_cast<py::ssize_t>(dofs.size()) / n_nodes;
        return to_numpy(std::move(dofs), {n, n_nodes});
    }

    int degree() const { return operator_->degree(); }

  private:
    Array<double> points_;
    Array<Index> connectivity_;
    std::unique_ptr<Ranks> ranks_;
    std::unique_ptr<DiffusionOperator> operator_;
};

}  // namespace

void bind_diffusion(py::module_& m) {
    using py::arg;
    py::class_<BoundDiffusion>(m, "DiffusionOperator", "Smoothing by diffusion over unit pseudo-time.")
        .def(py::init<Array<double>, Array<Index>, int, int, const Array<double>&, const std::string&, int,
                      const std::optional<Share>&>(),
             arg("points").noconvert(), arg("connectivity").noconvert(), arg("shape_order"), arg("order"),
             arg("tensor").noconvert(), arg("instruction_set"), arg("threads"), arg("share") = py::none())
        .def("apply", &BoundDiffusion::apply, arg("values").noconvert(), "Smoothed nodal field (n_dofs,).")
        .def_property_readonly("element_dofs", &BoundDiffusion::element_dofs,
                               "Numbers (n_elements, n_nodes) of the nodes.")
        .def_property_readonly("degree", &BoundDiffusion::degree, "Polynomial degree of the square root.");
}

}  // namespace wavetree::bindings
