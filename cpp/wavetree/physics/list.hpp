// The physics that simulations and kernels are made for: a new one is one more line here.
#pragma once

#include "wavetree/physics/acoustic.hpp"
#include "wavetree/physics/anisotropic.hpp"
#include "wavetree/physics/elastic.hpp"

namespace wavetree {

template <class... Physics>
struct PhysicsList {};

// Coefficients of each per element and node: the one of the mass (M0 or ρ) first, then those of the stiffness.
using WavePhysics = PhysicsList<Acoustic,      //
                                Elastic,       //
                                Anisotropic>;  //

}  // namespace wavetree
