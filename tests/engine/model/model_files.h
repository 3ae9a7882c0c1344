// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <QTemporaryDir>
#include <QtTest>

namespace quantscope::test {

namespace fs = std::filesystem;

inline fs::path fixture(const std::string& name) {
    return fs::path(QUANTSCOPE_SOURCE_DIR) / "tests/fixtures/models" / name;
}

inline std::string read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const fs::path& path, const std::string& bytes) {
    // Truncating a file that exists makes ext4 flush it to the disk, thousands of times in the fuzz test.
    fs::remove(path);
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// A folder that is deleted again, empty or with a copy of a fixture's files.
class ScratchFolder {
  public:
    explicit ScratchFolder(const std::string& fixture_name = {}) {
        if (!fixture_name.empty()) {
            for (const auto& entry : fs::directory_iterator(fixture(fixture_name))) {
                fs::copy_file(entry.path(), path() / entry.path().filename());
            }
        }
    }
    fs::path path() const { return dir_.path().toStdString(); }
    fs::path operator/(const std::string& name) const { return path() / name; }

  private:
    QTemporaryDir dir_;
};

/// A safetensors file: the length field, the header, the data.
inline std::string safetensors_bytes(const std::string& header, const std::string& data) {
    std::string bytes;
    for (int i = 0; i < 8; ++i) {
        bytes.push_back(static_cast<char>(header.size() >> (8 * i) & 0xFFU));
    }
    return bytes + header + data;
}

/// For failure messages of QVERIFY2.
template<class T>
std::string told(const Expected<T>& result) {
    return result ? "no error" : std::string(to_string(result.error().code)) + ": " + result.error().message;
}

} // namespace quantscope::test

/// The result is an error with this code, whose sentence contains this text and which says what to do.
#define QUANTSCOPE_REFUSED(result, expected_code, text)                                                      \
    do {                                                                                                     \
        const auto& refused_ = (result);                                                                     \
        QVERIFY2(!refused_, "accepted");                                                                     \
        QCOMPARE(quantscope::to_string(refused_.error().code), quantscope::to_string(expected_code));        \
        const std::string wanted_ = (text);                                                                  \
        QVERIFY2(refused_.error().message.find(wanted_) != std::string::npos,                                \
                 (refused_.error().message + "\nlacks: " + wanted_).c_str());                                \
        QVERIFY2(!refused_.error().hint.empty(), refused_.error().message.c_str());                          \
    } while (false)
