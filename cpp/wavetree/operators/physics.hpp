// What the rest of the core needs to know of a physics at run time.
#pragma once

#include <string>

#include "wavetree/core/types.hpp"

namespace wavetree {

struct PhysicsTraits {
    PhysicsId id;
    const char* name;
    int n_components;  // of the field
    int n_stiffness;   // coefficients of the stiffness; that of the mass stands before them
    // Z (n_components, n_components) of the coefficients p (1 + n_stiffness) at a side with this unit normal.
    void (*impedance)(const double* p, const double* normal, double* Z);
    // g (1 + n_stiffness) += ∂(by_Z : Z)/∂p.
    void (*impedance_derivative)(const double* p, const double* normal, const double* by_Z, double* g);
};

// Throws InputError for a name that no physics has.
const PhysicsTraits& physics_traits(const std::string& name, int dim);

}  // namespace wavetree
