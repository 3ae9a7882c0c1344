// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/protocol/event_stream.h"

#include <QElapsedTimer>
#include <QProcess>
#include <QProcessEnvironment>
#include <functional>
#include <optional>
#include <vector>

namespace quantscope {

/// A worker process and what it has said: the smallest client, for tests. Waiting is bounded.
class WorkerClient {
  public:
    WorkerClient(const QString& binary, const QStringList& arguments, const QProcessEnvironment& environment);
    ~WorkerClient();

    void send(const protocol::Request& request);
    void send_raw(const QByteArray& bytes);

    /// The first event of that type from the cursor on that `matches`; the cursor moves behind it.
    /// Nothing after `timeout_ms`, at the stream's end, or when the stream breaks (see error()).
    template<class T>
    std::optional<T> wait_for(const std::function<bool(const T&)>& matches = {}, int timeout_ms = 60000) {
        QElapsedTimer timer;
        timer.start();
        for (;;) {
            for (; cursor_ < events_.size(); ++cursor_) {
                const auto* body = std::get_if<T>(&events_[cursor_].body);
                if (body != nullptr && (!matches || matches(*body))) {
                    ++cursor_;
                    return *body;
                }
            }
            if (!error_.empty() || timer.elapsed() > timeout_ms || !read_more()) {
                return std::nullopt;
            }
        }
    }

    /// Every event of that type since the last clear().
    template<class T>
    std::vector<T> all() const {
        std::vector<T> found;
        for (const protocol::Event& event : events_) {
            if (const auto* body = std::get_if<T>(&event.body)) {
                found.push_back(*body);
            }
        }
        return found;
    }
    const std::vector<protocol::Event>& events() const { return events_; }
    void clear();

    const std::string& error() const { return error_; } ///< why the stream broke; empty while it has not
    const QByteArray& bytes() const { return bytes_; }  ///< all of stdout so far
    QProcess& process() { return process_; }

    /// Closes the worker's stdin and returns its exit code, -1 when it does not end within 10 s or crashes.
    int close_stdin();

  private:
    bool read_more(); ///< false: nothing more will come

    QProcess process_;
    protocol::EventStream stream_;
    std::vector<protocol::Event> events_;
    std::size_t cursor_ = 0;
    std::string error_;
    QByteArray bytes_;
};

} // namespace quantscope
