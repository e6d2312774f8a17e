// RAII over libuv handles. A handle's memory must outlive its close callback, which runs in a later
// loop turn: so each owner holds the handle by pointer and leaves it to that callback.
#pragma once

#include <sys/socket.h>
#include <uv.h>

#include <cstdint>
#include <expected>
#include <utility>

#include "common/base/check.h"

namespace turnpike {

// UvLoop owns a loop. Destroy every handle on it first; the destructor runs their close callbacks.
class UvLoop {
 public:
  UvLoop() { TP_CHECK(uv_loop_init(&loop_) == 0); }
  ~UvLoop() {
    uv_run(&loop_, UV_RUN_DEFAULT);
    TP_CHECK(uv_loop_close(&loop_) == 0);
  }
  UvLoop(const UvLoop&) = delete;
  UvLoop& operator=(const UvLoop&) = delete;

  uv_loop_t* get() { return &loop_; }

 private:
  uv_loop_t loop_;
};

// UvHandle owns one initialised handle of type `H` and closes it.
template <typename H>
class UvHandle {
 public:
  UvHandle() = default;
  explicit UvHandle(H* initialised) : handle_(initialised) {}
  UvHandle(UvHandle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  UvHandle& operator=(UvHandle&& other) noexcept {
    if (this != &other) {
      Close();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~UvHandle() { Close(); }

  H* get() const { return handle_; }

 private:
  void Close() {
    if (handle_ == nullptr) return;
    handle_->data = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(handle_),
             [](uv_handle_t* closed) { delete reinterpret_cast<H*>(closed); });
    handle_ = nullptr;
  }

  H* handle_ = nullptr;
};

// UvPoll calls `Owner::OnReadable()` while the socket `fd` has something to read, and before it
// `Owner::OnErrorQueued()`, if the owner has that, when an error is to be read. The owner closes
// the descriptor after the UvPoll is gone.
class UvPoll {
 public:
  // Watch starts watching; `owner` must outlive the UvPoll. It fails with libuv's (negative) error
  // code, for example when the system's limit on watches is reached.
  template <typename Owner>
  static std::expected<UvPoll, int> Watch(uv_loop_t* loop, int fd, Owner* owner) {
    auto* handle = new uv_poll_t;
    const int error = uv_poll_init(loop, handle, fd);
    if (error != 0) {
      delete handle;
      return std::unexpected(error);
    }
    UvPoll poll{UvHandle<uv_poll_t>(handle)};
    handle->data = owner;
    const int started = uv_poll_start(handle, UV_READABLE, &OnPoll<Owner>);
    if (started != 0) return std::unexpected(started);
    return poll;
  }

 private:
  explicit UvPoll(UvHandle<uv_poll_t> handle) : handle_(std::move(handle)) {}

  template <typename Owner>
  static void OnPoll(uv_poll_t* handle, int status, int) {
    if (status < 0) {
      // libuv stops a handle whose socket has an error pending (an ICMP answer, for instance). The
      // socket is as good as before once the error is read.
      int fd = -1;
      int pending = 0;
      socklen_t size = sizeof(pending);
      uv_fileno(reinterpret_cast<uv_handle_t*>(handle), &fd);
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &size);
      uv_poll_start(handle, UV_READABLE, &OnPoll<Owner>);
      // A queue that nobody reads would wake the loop for ever.
      if constexpr (requires(Owner& owner) { owner.OnErrorQueued(); }) {
        // cppcheck-suppress nullPointerRedundantCheck ; the call is what may clear it
        static_cast<Owner*>(handle->data)->OnErrorQueued();
        if (handle->data == nullptr) return;  // what the error caused has closed the handle
      }
    }
    static_cast<Owner*>(handle->data)->OnReadable();
  }

  UvHandle<uv_poll_t> handle_;
};

// UvStreamPoll tells its owner what a stream socket is ready for: `OnReadable()`, `OnWritable()`
// while asked for, and `OnBroken()` once, when the connection has failed. The owner closes the
// descriptor after the UvStreamPoll is gone, and never destroys it within a call.
class UvStreamPoll {
 public:
  // Watch is as UvPoll::Watch.
  template <typename Owner>
  static std::expected<UvStreamPoll, int> Watch(uv_loop_t* loop, int fd, Owner* owner) {
    auto* handle = new uv_poll_t;
    const int error = uv_poll_init(loop, handle, fd);
    if (error != 0) {
      delete handle;
      return std::unexpected(error);
    }
    UvStreamPoll poll{UvHandle<uv_poll_t>(handle)};
    handle->data = owner;
    const int started = uv_poll_start(handle, UV_READABLE, &OnPoll<Owner>);
    if (started != 0) return std::unexpected(started);
    return poll;
  }

  // WatchFor asks for OnReadable and OnWritable, or no longer; for neither, OnBroken stays away
  // too.
  void WatchFor(bool readable, bool writable) {
    uv_poll_t* handle = handle_.get();
    const int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    if (events == 0) {
      uv_poll_stop(handle);
    } else {
      uv_poll_start(handle, events, handle->poll_cb);
    }
  }

 private:
  explicit UvStreamPoll(UvHandle<uv_poll_t> handle) : handle_(std::move(handle)) {}

  template <typename Owner>
  static void OnPoll(uv_poll_t* handle, int status, int events) {
    auto* owner = static_cast<Owner*>(handle->data);
    if (status < 0) {
      owner->OnBroken();
      return;
    }
    if ((events & UV_READABLE) != 0) owner->OnReadable();
    if ((events & UV_WRITABLE) != 0) owner->OnWritable();
  }

  UvHandle<uv_poll_t> handle_;
};

// UvTimer calls a function of its owner once.
class UvTimer {
 public:
  explicit UvTimer(uv_loop_t* loop) : handle_(new uv_timer_t) {
    TP_CHECK(uv_timer_init(loop, handle_.get()) == 0);
  }

  // Start arms the timer, or arms it anew: `Method` of `owner` runs after `delay_ms`, and then each
  // `repeat_ms` unless that is 0.
  template <auto Method, typename Owner>
  void Start(Owner* owner, uint64_t delay_ms, uint64_t repeat_ms = 0) {
    handle_.get()->data = owner;
    uv_timer_start(
        handle_.get(), [](uv_timer_t* timer) { (static_cast<Owner*>(timer->data)->*Method)(); },
        delay_ms, repeat_ms);
  }

  void Stop() { uv_timer_stop(handle_.get()); }

 private:
  UvHandle<uv_timer_t> handle_;
};

// UvCheck calls a function of its owner in every loop turn, right after the sockets were served.
class UvCheck {
 public:
  template <auto Method, typename Owner>
  static UvCheck Each(uv_loop_t* loop, Owner* owner) {
    auto* handle = new uv_check_t;
    TP_CHECK(uv_check_init(loop, handle) == 0);
    handle->data = owner;
    uv_check_start(handle,
                   [](uv_check_t* check) { (static_cast<Owner*>(check->data)->*Method)(); });
    return UvCheck{UvHandle<uv_check_t>(handle)};
  }

 private:
  explicit UvCheck(UvHandle<uv_check_t> handle) : handle_(std::move(handle)) {}

  UvHandle<uv_check_t> handle_;
};

// UvAsync runs a function of its owner on the loop's thread when any thread calls Send.
class UvAsync {
 public:
  template <auto Method, typename Owner>
  static UvAsync On(uv_loop_t* loop, Owner* owner) {
    auto* handle = new uv_async_t;
    const int error = uv_async_init(
        loop, handle, [](uv_async_t* async) { (static_cast<Owner*>(async->data)->*Method)(); });
    TP_CHECK(error == 0);
    handle->data = owner;
    return UvAsync{UvHandle<uv_async_t>(handle)};
  }

  // Send wakes the loop; several calls may become one run. Any thread, while the UvAsync lives.
  void Send() { uv_async_send(handle_.get()); }

 private:
  explicit UvAsync(UvHandle<uv_async_t> handle) : handle_(std::move(handle)) {}

  UvHandle<uv_async_t> handle_;
};

}  // namespace turnpike
