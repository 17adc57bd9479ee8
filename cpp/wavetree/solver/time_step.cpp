#include "wavetree/solver/time_step.hpp"

#include <algorithm>
#include <cmath>

namespace wavetree {

namespace {

// Largest eigenvalue of a symmetric tridiagonal matrix by bisection on its Sturm sequence.
double largest_tridiagonal(const std::vector<double>& alpha, const std::vector<double>& beta) {
    double low = 0.0, high = 0.0;
    for (std::size_t i = 0; i < alpha.size(); ++i)
        high = std::max(high, alpha[i] + (i > 0 ? beta[i - 1] : 0.0) + (i < beta.size() ? beta[i] : 0.0));
    for (int it = 0; it < 100 && high - low > 1e-14 * high; ++it) {
        const double middle = 0.5 * (low + high);
        bool above = false;  // some pivot of T − middle is positive: an eigenvalue lies above
        double pivot = alpha[0] - middle;
        for (std::size_t i = 0;; ++i) {
            above = above || pivot > 0.0;
            if (i + 1 >= alpha.size()) break;
            if (pivot == 0.0) pivot = 1e-300;
            pivot = alpha[i + 1] - middle - beta[i] * beta[i] / pivot;
        }
        (above ? low : high) = middle;
    }
    return high;
}

// Last component of the normalised eigenvector: times the next beta it is the residual norm.
double last_component(const std::vector<double>& alpha, const std::vector<double>& beta, double eigenvalue) {
    double previous = 0.0, current = 1.0, square = 1.0;
    for (std::size_t i = 0; i + 1 < alpha.size(); ++i) {
        const double next = ((eigenvalue - alpha[i]) * current - (i > 0 ? beta[i - 1] * previous : 0.0)) / beta[i];
        previous = current, current = next, square += next * next;
    }
    return std::abs(current) / std::sqrt(square);
}

class Lanczos {
  public:
    Lanczos(const Stiffness<double>& stiffness, const std::vector<double>& mass, const std::vector<char>& free)
        : stiffness_(stiffness), mass_(mass), free_(free), n_(static_cast<Index>(mass.size())) {
        for (auto* x : {&v_, &old_, &next_}) x->assign(static_cast<std::size_t>(stiffness.size()), 0.0);
    }

    void start(const std::vector<double>& coordinates, int dim) {
        std::vector<double> low(dim, 1e300), high(dim, -1e300);
        for (std::size_t i = 0; i < coordinates.size(); ++i) {
            low[i % dim] = std::min(low[i % dim], coordinates[i]);
            high[i % dim] = std::max(high[i % dim], coordinates[i]);
        }
        // Rough enough to hold the shortest waves of the mesh, smooth enough to forgive rounding.
        for (Index i = 0; i < n_; ++i) {
            double phase = 0.5;
            for (int d = 0; d < dim; ++d)
                phase += (1299.7 + 433.3 * d) * (coordinates[i * dim + d] - low[d]) / (high[d] - low[d]);
            v_[i] = free_[i] ? std::sin(phase) : 0.0;
        }
        scale(v_, 1.0 / norm(v_));
    }

    // One step; returns the new diagonal entry, `beta` the new off-diagonal one.
    double step(double& beta) {
        stiffness_.spread(v_.data());
        std::fill(next_.begin(), next_.end(), 0.0);
        stiffness_.apply(v_.data(), next_.data());
        double alpha = 0.0;
        for (Index i = 0; i < n_; ++i) {
            next_[i] = free_[i] ? next_[i] / mass_[i] : 0.0;
            alpha += next_[i] * mass_[i] * v_[i];
        }
        for (Index i = 0; i < n_; ++i) next_[i] -= alpha * v_[i] + beta * old_[i];
        beta = norm(next_);
        std::swap(old_, v_), std::swap(v_, next_);
        if (beta > 0.0) scale(v_, 1.0 / beta);
        return alpha;
    }

  private:
    double norm(const AlignedVector<double>& x) const {
        double sum = 0.0;
        for (Index i = 0; i < n_; ++i) sum += x[i] * mass_[i] * x[i];
        return std::sqrt(sum);
    }
    void scale(AlignedVector<double>& x, double factor) const {
        for (Index i = 0; i < n_; ++i) x[i] *= factor;
    }

    const Stiffness<double>& stiffness_;
    const std::vector<double>& mass_;
    const std::vector<char>& free_;
    Index n_;
    AlignedVector<double> v_, old_, next_;
};

}  // namespace

double largest_eigenvalue(const Stiffness<double>& stiffness, const std::vector<double>& mass,
                          const std::vector<char>& free, const std::vector<double>& coordinates) {
    constexpr int min_steps = 12, max_steps = 80;
    constexpr double tolerance = 2e-3;
    const int dim = static_cast<int>(coordinates.size() / mass.size());
    Lanczos lanczos(stiffness, mass, free);
    lanczos.start(coordinates, dim);
    std::vector<double> alpha, beta;
    double bound = 0.0, off_diagonal = 0.0;
    for (int k = 0; k < max_steps; ++k) {
        alpha.push_back(lanczos.step(off_diagonal));
        const double ritz = largest_tridiagonal(alpha, beta);
        const double residual = off_diagonal * last_component(alpha, beta, ritz);
        bound = ritz + residual;
        if ((k + 1 >= min_steps && residual <= tolerance * ritz) || off_diagonal <= 1e-12 * ritz) break;
        beta.push_back(off_diagonal);
    }
    return bound;
}

}  // namespace wavetree
