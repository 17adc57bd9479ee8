// What the machine can do at most: multiply-adds in registers and bytes to and from memory.
#pragma once

#include <string>

#include "wavetree/core/types.hpp"

namespace wavetree {

// Loops compiled once per instruction set (kernels/machine_loops.cpp).
struct MachineLoops {
    // n times x ← a x + b on independent vectors that stay in registers; returns their sum.
    float (*multiply_add_float)(Index n, float a, float b);
    double (*multiply_add_double)(Index n, double a, double b);
    int flops_float, flops_double;  // of one such time
    // to = scale · from, and to = a + scale · b, over n values
    void (*copy)(const float* from, float* to, float scale, Index n);
    void (*triad)(const float* a, const float* b, float* to, float scale, Index n);
};

const MachineLoops& machine_loops(const std::string& instruction_set);

// How a rate is measured: the best of as many trials as fit into the seconds, on all threads at once.
struct Measurement {
    std::string instruction_set;
    int threads;
    double seconds;
};

// Floating-point operations a second, in single or double precision.
double multiply_add_rate(const Measurement& how, bool single);

// Bytes read and written a second by `copy` and `triad`, whose arrays take n_bytes together. The line that a
// store fetches first is not counted.
double copy_rate(const Measurement& how, Index n_bytes);
double triad_rate(const Measurement& how, Index n_bytes);

}  // namespace wavetree
