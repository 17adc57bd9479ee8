// Exceptions that leave the core. Bad input is InputError; the rest happens during a run.
#pragma once

#include <stdexcept>

namespace wavetree {

struct InputError : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

struct Cancelled : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The wavefield is no longer finite.
struct Unstable : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Ranks of one run could not reach each other.
struct RankError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace wavetree
