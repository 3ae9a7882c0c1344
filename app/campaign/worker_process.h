// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/campaign/output_pipe.h"
#include "app/campaign/worker_command.h"
#include "engine/protocol/event_stream.h"

#include <QElapsedTimer>
#include <QObject>
#include <QProcess>
#include <QTimer>

#include <optional>

namespace quantscope::campaign {

/// How long a worker may be silent; tests shorten it.
struct WorkerPatience {
    int helloMs = 60'000;        ///< from start to `hello`, on this machine; 0: no limit
    int remoteHelloMs = 600'000; ///< behind a launcher: srun may wait for a node; 0: no limit
    int noticeMs = 5'000;        ///< without `hello` for so long, waiting() tells what is awaited; and again
    int silenceMs = 20'000;      ///< afterwards: heartbeats come every 5 s, so this means lost
    int shutdownMs = 5'000;      ///< from `shutdown` to SIGTERM
    int terminateMs = 2'000;     ///< from SIGTERM to SIGKILL
};

/// Why a worker is no more. `error` is unset when it was asked to go.
struct WorkerEnd {
    std::optional<Error> error;
    bool neverGreeted = false; ///< it ended before `hello`: it could not be started, so trying again is idle
};

/// One worker: its process, the stream of its events and the watch over its silence. Nothing here blocks.
class WorkerProcess : public QObject {
    Q_OBJECT

  public:
    explicit WorkerProcess(WorkerCommand command, WorkerPatience patience = {}, QObject* parent = nullptr);
    ~WorkerProcess() override;

    void start();
    /// Errors: bad_input (the request is too long for a line).
    [[nodiscard]] Expected<> send(const protocol::Request& request);
    /// Asks it to go, then insists: `shutdown`, SIGTERM, SIGKILL.
    void shutdown();
    /// SIGTERM, on which srun and ssh give back what they hold, then SIGKILL.
    void terminate();
    void kill();

    /// false: reads no more of what it says, so that it has to wait once the pipe is full (64 KiB), and does
    /// not count its silence. What was read is told first when reading goes on.
    void setReading(bool reading);

    [[nodiscard]] bool greeted() const { return stream_.greeted(); }
    [[nodiscard]] qint64 processId() const { return process_.processId(); }

  Q_SIGNALS:
    void eventReceived(const quantscope::protocol::Event& event);
    /// It has not said hello yet: after noticeMs, and every noticeMs from then on. `lastWords` is what came
    /// instead ("Last on its stderr: ..."), printable.
    void waiting(int seconds, const QString& lastWords);
    /// Exactly once, and nothing after it.
    void ended(const quantscope::campaign::WorkerEnd& end);

  private:
    void readOutput();
    void readRest();
    void readLog();
    void deliver();
    void onFinished(int exitCode, QProcess::ExitStatus status);
    void onStartFailed();
    void onSilence();
    void giveUp(Error error);
    void end();
    [[nodiscard]] int helloLimitMs() const;
    [[nodiscard]] Error deathError(int exitCode, QProcess::ExitStatus status) const;
    [[nodiscard]] Error noHelloError(const QString& what, int exitCode = 0) const;
    [[nodiscard]] QString lastWords() const;
    [[nodiscard]] QString lastLogLine() const;

    WorkerCommand command_;
    WorkerPatience patience_;
    QProcess process_;
    OutputPipe output_;
    QTimer silence_;
    QTimer notice_;
    QElapsedTimer clock_; ///< since start()
    protocol::EventStream stream_;
    QByteArray log_;
    std::optional<Error> error_; ///< the first thing that went wrong
    bool shutdownAsked_ = false;
    bool reading_ = true;
    bool finished_ = false; ///< the process; what it left behind is told without a pause
    bool ended_ = false;
};

} // namespace quantscope::campaign
