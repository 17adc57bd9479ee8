// Progress of a run and the request to stop it, shared between the thread that runs and the others.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>

namespace wavetree {

class Control {
  public:
    void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
    bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
    double progress() const { return progress_.load(std::memory_order_relaxed); }
    void set_progress(double value) { progress_.store(value, std::memory_order_relaxed); }

  private:
    std::atomic<bool> cancelled_{false};
    std::atomic<double> progress_{0.0};
};

// Looks at the control a few dozen times a second, however short the steps are. `interrupted` is
// asked as well: the host language answers there whether its user wants to stop.
class Watch {
  public:
    Watch(Control& control, std::function<bool()> interrupted)
        : control_(control), interrupted_(std::move(interrupted)) {}

    bool is_cancelled() const { return control_.cancelled(); }
    // Whether somebody wants the run to stop, who keeps wanting it.
    bool is_stopped(double progress) {
        const auto now = Clock::now();
        if (now - last_ < std::chrono::milliseconds(20)) return false;
        last_ = now;
        control_.set_progress(progress);
        return control_.cancelled() || (interrupted_ && interrupted_());
    }

  private:
    using Clock = std::chrono::steady_clock;
    Control& control_;
    std::function<bool()> interrupted_;
    Clock::time_point last_ = Clock::now();
};

}  // namespace wavetree
