// A SQLite VFS that passes everything on, counts what changes files, and can fail the k-th of those
// operations, or let the test look at the files just before it.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <string>

namespace turnpike::metering_test {

// FaultVfs is registered under `name()` as long as it lives. One at a time, one thread.
class FaultVfs {
 public:
  FaultVfs() {
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.zName = "fault";
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.pAppData = this;
    vfs_.pNext = nullptr;
    vfs_.xOpen = Open;
    vfs_.xDelete = Delete;
    sqlite3_vfs_register(&vfs_, 0);
  }
  ~FaultVfs() { sqlite3_vfs_unregister(&vfs_); }
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  static std::string name() { return "fault"; }

  // FailAt makes `count` operations from the k-th on (1 is the next) fail with `code`.
  void FailAt(int64_t k, int64_t count, int code) {
    operations_ = 0;
    first_ = k;
    last_ = k + count - 1;
    code_ = code;
  }
  void Heal() { first_ = last_ = 0; }

  // operations counts opens, writes, syncs, truncations and deletions since FailAt.
  int64_t operations() const { return operations_; }
  bool failed() const { return first_ > 0 && operations_ >= first_; }

  std::function<void(int64_t operation)> before;         // each counted operation
  std::function<void(const std::string& path)> synced;   // a file's content is durable
  std::function<void(const std::string& path)> removed;  // a file is gone

 private:
  struct File {
    sqlite3_file base;
    FaultVfs* owner;
    const char* path;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  static File* Self(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  static FaultVfs* Owner(sqlite3_vfs* vfs) { return static_cast<FaultVfs*>(vfs->pAppData); }

  // Count returns what the next operation must fail with, or SQLITE_OK.
  int Count(int code) {
    ++operations_;
    if (before) before(operations_);
    if (operations_ < first_ || operations_ > last_) return SQLITE_OK;
    return code_ == SQLITE_FULL ? SQLITE_FULL : code;
  }

  static int Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out) {
    FaultVfs* owner = Owner(vfs);
    File* self = Self(file);
    self->base.pMethods = nullptr;
    self->owner = owner;
    self->path = path;
    if (owner->Count(SQLITE_CANTOPEN) != SQLITE_OK) return SQLITE_CANTOPEN;
    const int result = owner->real_->xOpen(owner->real_, path, self->real(), flags, out);
    if (self->real()->pMethods != nullptr) self->base.pMethods = &Methods();
    return result;
  }
  static int Delete(sqlite3_vfs* vfs, const char* path, int sync) {
    FaultVfs* owner = Owner(vfs);
    if (const int code = owner->Count(SQLITE_IOERR_DELETE); code != SQLITE_OK) return code;
    const int result = owner->real_->xDelete(owner->real_, path, sync);
    if (result == SQLITE_OK && owner->removed) owner->removed(path);
    return result;
  }
  static int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    File* self = Self(file);
    const int code = self->owner->Count(SQLITE_IOERR_WRITE);
    if (code == SQLITE_OK) return self->real()->pMethods->xWrite(self->real(), data, size, offset);
    // A write that fails may have written a part.
    self->real()->pMethods->xWrite(self->real(), data, size / 2, offset);
    return code;
  }
  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    File* self = Self(file);
    const int code = self->owner->Count(SQLITE_IOERR_TRUNCATE);
    return code == SQLITE_OK ? self->real()->pMethods->xTruncate(self->real(), size) : code;
  }
  static int Sync(sqlite3_file* file, int flags) {
    File* self = Self(file);
    const int code = self->owner->Count(SQLITE_IOERR_FSYNC);
    if (code != SQLITE_OK) return code == SQLITE_FULL ? SQLITE_IOERR_FSYNC : code;
    const int result = self->real()->pMethods->xSync(self->real(), flags);
    if (result == SQLITE_OK && self->owner->synced && self->path != nullptr) {
      self->owner->synced(self->path);
    }
    return result;
  }

  // Pass forwards a method that changes no file.
  template <auto Method, typename... Args>
  static auto Pass(sqlite3_file* file, Args... args) {
    sqlite3_file* real = Self(file)->real();
    return (real->pMethods->*Method)(real, args...);
  }

  static const sqlite3_io_methods& Methods() {
    static const sqlite3_io_methods methods = [] {
      sqlite3_io_methods m{};
      m.iVersion = 2;
      m.xClose = Pass<&sqlite3_io_methods::xClose>;
      m.xRead = Pass<&sqlite3_io_methods::xRead, void*, int, sqlite3_int64>;
      m.xWrite = Write;
      m.xTruncate = Truncate;
      m.xSync = Sync;
      m.xFileSize = Pass<&sqlite3_io_methods::xFileSize, sqlite3_int64*>;
      m.xLock = Pass<&sqlite3_io_methods::xLock, int>;
      m.xUnlock = Pass<&sqlite3_io_methods::xUnlock, int>;
      m.xCheckReservedLock = Pass<&sqlite3_io_methods::xCheckReservedLock, int*>;
      m.xFileControl = Pass<&sqlite3_io_methods::xFileControl, int, void*>;
      m.xSectorSize = Pass<&sqlite3_io_methods::xSectorSize>;
      m.xDeviceCharacteristics = Pass<&sqlite3_io_methods::xDeviceCharacteristics>;
      m.xShmMap = Pass<&sqlite3_io_methods::xShmMap, int, int, int, void volatile**>;
      m.xShmLock = Pass<&sqlite3_io_methods::xShmLock, int, int, int>;
      m.xShmBarrier = Pass<&sqlite3_io_methods::xShmBarrier>;
      m.xShmUnmap = Pass<&sqlite3_io_methods::xShmUnmap, int>;
      return m;
    }();
    return methods;
  }

  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
  int64_t operations_ = 0;
  int64_t first_ = 0;
  int64_t last_ = 0;
  int code_ = SQLITE_IOERR;
};

}  // namespace turnpike::metering_test
