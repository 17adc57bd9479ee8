#include "wavetree/operators/physics.hpp"

#include "wavetree/core/errors.hpp"
#include "wavetree/physics/list.hpp"

namespace wavetree {

namespace {

template <class Physics, int Dim>
const PhysicsTraits& traits() {
    static const PhysicsTraits instance{Physics::id,
                                        Physics::name,
                                        Physics::template n_components<Dim>,
                                        Physics::template n_stiffness<Dim>,
                                        &Physics::template impedance<Dim>,
                                        &Physics::template impedance_derivative<Dim>};
    return instance;
}

template <class... Physics>
const PhysicsTraits& find(PhysicsList<Physics...>, const std::string& name, int dim) {
    const PhysicsTraits* found = nullptr;
    std::string known;
    const auto look = [&](const PhysicsTraits& candidate) {
        if (name == candidate.name) found = &candidate;
        known += (known.empty() ? "" : ", ") + std::string(candidate.name);
    };
    (look(dim == 2 ? traits<Physics, 2>() : traits<Physics, 3>()), ...);
    if (!found) throw InputError("physics is '" + name + "'; expected one of " + known);
    return *found;
}

}  // namespace

const PhysicsTraits& physics_traits(const std::string& name, int dim) { return find(WavePhysics{}, name, dim); }

}  // namespace wavetree
