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

using Vector = EigenProblem::Vector;

class Lanczos {
  public:
    Lanczos(const EigenProblem& problem, Vector start)
        : problem_(problem), v_(std::move(start)), weighted_(v_.size()), old_(v_.size()), next_(v_.size()) {
        problem_.weigh(v_, weighted_);
        scale(1.0 / std::sqrt(dot(v_, weighted_, problem_.ranks)));
    }

    // One step; returns the new diagonal entry, `beta` the new off-diagonal one.
    double step(double& beta) {
        problem_.apply(v_, next_);
        const double alpha = dot(next_, weighted_, problem_.ranks);
        for (std::size_t i = 0; i < v_.size(); ++i) next_[i] -= alpha * v_[i] + beta * old_[i];
        std::swap(old_, v_), std::swap(v_, next_);
        problem_.weigh(v_, weighted_);
        beta = std::sqrt(std::max(0.0, dot(v_, weighted_, problem_.ranks)));
        if (beta > 0.0) scale(1.0 / beta);
        return alpha;
    }

  private:
    void scale(double factor) {
        for (double& x : v_) x *= factor;
        for (double& x : weighted_) x *= factor;
    }

    const EigenProblem& problem_;
    Vector v_, weighted_, old_, next_;
};

}  // namespace

double dot(const Vector& x, const Vector& y, const Ranks* ranks) {
    double sum = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
    if (ranks) ranks->sum(&sum, 1);
    return sum;
}

double largest_eigenvalue(const EigenProblem& problem, Vector start) {
    constexpr int min_steps = 12, max_steps = 80;
    constexpr double tolerance = 2e-3;
    Lanczos lanczos(problem, std::move(start));
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

EigenProblem stiffness_problem(const Stiffness<double>& stiffness, const PlaceData& places, const Ranks* ranks) {
    const int n = stiffness.n_components();
    const auto weigh = [&stiffness, places, n](Vector& x, Vector& out) {
        std::fill(out.begin(), out.end(), 0.0);
        for (int c = 0; c < n; ++c)
            for (std::size_t p = 0, i = stiffness.value_at(0, c); p < places.mass.size(); ++p, ++i)
                if (places.owned[p]) out[i] = places.mass[p] * x[i];
    };
    const auto apply = [&stiffness, places, n](Vector& x, Vector& out) {
        stiffness.spread(x.data());
        std::fill(out.begin(), out.end(), 0.0);
        stiffness.apply(x.data(), out.data());
        for (int c = 0; c < n; ++c)
            for (std::size_t p = 0, i = stiffness.value_at(0, c); p < places.mass.size(); ++p, ++i)
                out[i] = places.free[p] ? out[i] / places.mass[p] : 0.0;
    };
    return {apply, weigh, ranks};
}

Vector rough_field(const Stiffness<double>& stiffness, const std::vector<char>& free,
                   const std::vector<double>& coordinates, const Ranks* ranks) {
    const std::size_t dim = free.empty() ? 0 : coordinates.size() / free.size(), n = stiffness.n_components();
    double high[3], low[3];  // of the coordinates, and of their negatives
    for (int d = 0; d < 3; ++d) high[d] = low[d] = -1e300;
    for (std::size_t i = 0; i < coordinates.size(); ++i) {
        high[i % dim] = std::max(high[i % dim], coordinates[i]);
        low[i % dim] = std::max(low[i % dim], -coordinates[i]);
    }
    if (ranks) ranks->max(high, 3), ranks->max(low, 3);
    // Rough enough to hold the shortest waves of the mesh, smooth enough to forgive rounding.
    Vector field(static_cast<std::size_t>(stiffness.size()));
    for (std::size_t p = 0; p < free.size(); ++p)
        for (std::size_t c = 0; c < n; ++c) {
            double phase = 0.5 + 1.1 * static_cast<double>(c);
            for (std::size_t d = 0; d < dim; ++d)
                phase += (1299.7 + 433.3 * static_cast<double>(d)) * (coordinates[p * dim + d] + low[d]) /
                         (high[d] + low[d]);
            field[stiffness.value_at(static_cast<Index>(p), static_cast<int>(c))] = free[p] ? std::sin(phase) : 0.0;
        }
    return field;
}

}  // namespace wavetree
