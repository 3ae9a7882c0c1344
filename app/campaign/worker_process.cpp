// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/worker_process.h"

#include <QPointer>

#include <csignal>
#include <cstring>

namespace quantscope::campaign {
namespace {

constexpr qsizetype maxLogBytes = 64 * 1024;

Error sentence(ErrorCode code, const QString& message, const QString& hint = {}) {
    return Error{code, message.toStdString(), hint.toStdString()};
}

} // namespace

WorkerProcess::WorkerProcess(WorkerCommand command, WorkerPatience patience, QObject* parent)
    : QObject(parent), command_(std::move(command)), patience_(patience) {
    silence_.setSingleShot(true);
    connect(&silence_, &QTimer::timeout, this, &WorkerProcess::onSilence);
    connect(&process_, &QProcess::readyReadStandardOutput, this, &WorkerProcess::readOutput);
    connect(&process_, &QProcess::readyReadStandardError, this, &WorkerProcess::readLog);
    connect(&process_, &QProcess::finished, this, &WorkerProcess::onFinished);
    connect(&process_, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
        if (error == QProcess::FailedToStart) {
            onStartFailed();
        }
    });
    // Ctrl-C reaches the whole foreground process group, but the worker is to end by request, so that the
    // samples in flight are finished. (A process group of its own would cut ssh off from the terminal.)
    process_.setChildProcessModifier([] { std::signal(SIGINT, SIG_IGN); });
}

WorkerProcess::~WorkerProcess() {
    ended_ = true;
    process_.disconnect(this);
    if (process_.state() != QProcess::NotRunning) {
        process_.kill();
        process_.waitForFinished(1000);
    }
}

void WorkerProcess::start() {
    process_.start(command_.program, command_.arguments);
    silence_.start(command_.remote ? patience_.remoteHelloMs : patience_.helloMs);
}

Expected<> WorkerProcess::send(const protocol::Request& request) {
    return protocol::encode_request(request).map(
        [this](const std::string& line) { process_.write(line.data(), static_cast<qint64>(line.size())); });
}

void WorkerProcess::shutdown() {
    if (ended_ || shutdownAsked_) {
        return;
    }
    shutdownAsked_ = true;
    if (process_.state() == QProcess::NotRunning) {
        QTimer::singleShot(0, this, &WorkerProcess::end);
        return;
    }
    static_cast<void>(send(protocol::ShutdownRequest{}));
    process_.closeWriteChannel();
    QTimer::singleShot(patience_.shutdownMs, this, [this] {
        process_.terminate();
        QTimer::singleShot(patience_.terminateMs, this, &WorkerProcess::kill);
    });
}

void WorkerProcess::kill() {
    process_.kill();
}

void WorkerProcess::readOutput() {
    const QByteArray bytes = process_.readAllStandardOutput();
    if (bytes.isEmpty() || error_) {
        return;
    }
    stream_.feed({bytes.constData(), static_cast<std::size_t>(bytes.size())});
    deliver();
    if (stream_.greeted() && !error_) {
        silence_.start(patience_.silenceMs);
    }
}

void WorkerProcess::deliver() {
    const QPointer<WorkerProcess> self(this); // a receiver may delete us
    while (!error_) {
        auto item = stream_.next();
        if (!item) {
            return;
        }
        if (!*item) {
            Error error = item->error();
            if (error.code == ErrorCode::bad_input) {
                error.code = ErrorCode::io; // the stream is damaged; nothing that the user gave is
            }
            giveUp(std::move(error));
            return;
        }
        if (const auto* error = std::get_if<protocol::ErrorEvent>(&(*item)->body); error && error->fatal) {
            error_ = error->error;
        }
        Q_EMIT eventReceived(**item);
        if (!self) {
            return;
        }
    }
}

void WorkerProcess::readLog() {
    log_ += process_.readAllStandardError();
    if (log_.size() > maxLogBytes) {
        log_ = log_.right(maxLogBytes);
    }
}

void WorkerProcess::onFinished(int exitCode, QProcess::ExitStatus status) {
    const QPointer<WorkerProcess> self(this);
    readLog();
    readOutput();
    if (!self) {
        return;
    }
    // How it died says more than that its last line is cut, so a crash is named first.
    const bool clean = status == QProcess::NormalExit && exitCode == 0;
    if (!error_ && !clean && !shutdownAsked_) {
        error_ = deathError(exitCode, status);
    }
    if (!error_ && !shutdownAsked_) {
        stream_.finish();
        deliver();
    }
    if (!self) {
        return;
    }
    if (!error_ && !shutdownAsked_) {
        error_ = sentence(ErrorCode::internal, QStringLiteral("The worker ended before its work was done."),
                          lastLogLine());
    }
    end();
}

void WorkerProcess::onStartFailed() {
    const QString hint =
        command_.remote
            ? QStringLiteral("Check the launcher: \"%1\" must be a program on this machine.")
                  .arg(command_.program)
            : QStringLiteral("Build the target quantscope-worker, or set QUANTSCOPE_WORKER to its path.");
    error_ = sentence(ErrorCode::io,
                      QStringLiteral("The worker could not be started: %1 (%2).")
                          .arg(process_.errorString(), command_.program),
                      hint);
    QTimer::singleShot(0, this, &WorkerProcess::end); // never from inside start()
}

void WorkerProcess::onSilence() {
    const int waited = stream_.greeted() ? patience_.silenceMs
                       : command_.remote ? patience_.remoteHelloMs
                                         : patience_.helloMs;
    const QString what = stream_.greeted()
                             ? QStringLiteral("The worker was lost: nothing was heard of it for %1 s.")
                             : QStringLiteral("The worker did not greet within %1 s.");
    giveUp(sentence(ErrorCode::device, what.arg(waited / 1000.0),
                    QStringLiteral("A hung driver, a suspended machine or a dead network does this. What was "
                                   "measured is kept; resume the campaign.")));
}

void WorkerProcess::giveUp(Error error) {
    if (!error_) {
        error_ = std::move(error);
    }
    process_.kill(); // onFinished() follows
}

void WorkerProcess::end() {
    if (ended_) {
        return;
    }
    ended_ = true;
    silence_.stop();
    Q_EMIT ended(WorkerEnd{error_, !stream_.greeted()});
}

Error WorkerProcess::deathError(int exitCode, QProcess::ExitStatus status) const {
    if (status == QProcess::CrashExit) { // exitCode is the signal's number
        const QString hint =
            exitCode == SIGKILL
                ? QStringLiteral("The system ends processes this way when memory runs out: try "
                                 "fewer schemes or a smaller batch size.")
                : lastLogLine();
        return sentence(exitCode == SIGKILL ? ErrorCode::out_of_memory : ErrorCode::internal,
                        QStringLiteral("The worker crashed: signal %1 (%2).")
                            .arg(QString::number(exitCode), QString::fromLocal8Bit(strsignal(exitCode))),
                        hint);
    }
    const QString banner = QString::fromStdString(stream_.banner()).trimmed().section(QLatin1Char('\n'), -1);
    return sentence(ErrorCode::internal,
                    QStringLiteral("The worker ended with exit code %1%2.")
                        .arg(QString::number(exitCode),
                             stream_.greeted() ? QString() : QStringLiteral(" before it greeted")),
                    lastLogLine().isEmpty() && !banner.isEmpty() ? QStringLiteral("It said: %1").arg(banner)
                                                                 : lastLogLine());
}

QString WorkerProcess::lastLogLine() const {
    const QString line = logTail().trimmed().section(QLatin1Char('\n'), -1).trimmed();
    return line.isEmpty() ? QString() : QStringLiteral("Its last log line: %1").arg(line.left(400));
}

} // namespace quantscope::campaign
