// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/worker_process.h"

#include "engine/base/printable.h"

#include <QPointer>

#include <cerrno>
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
    connect(&notice_, &QTimer::timeout, this,
            [this] { Q_EMIT waiting(static_cast<int>((clock_.elapsed() + 500) / 1000), lastWords()); });
    connect(&output_, &OutputPipe::readyRead, this, &WorkerProcess::readOutput);
    connect(&process_, &QProcess::readyReadStandardError, this, &WorkerProcess::readLog);
    connect(&process_, &QProcess::finished, this, &WorkerProcess::onFinished);
    connect(&process_, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
        if (error == QProcess::FailedToStart) {
            onStartFailed();
        }
    });
    process_.setStandardOutputFile(QProcess::nullDevice()); // replaced by ours below
    // Ctrl-C reaches the whole foreground process group, but the worker is to end by request, so that the
    // samples in flight are finished. (A process group of its own would cut ssh off from the terminal.)
    process_.setChildProcessModifier([this] {
        output_.becomeStdout();
        std::signal(SIGINT, SIG_IGN);
    });
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
    clock_.start();
    if (!output_.open()) {
        error_ = sentence(
            ErrorCode::io,
            QStringLiteral("The worker could not be started: no pipe can be made for what it says (%1).")
                .arg(QString::fromLocal8Bit(strerror(errno))),
            QStringLiteral("Close other programs, or raise the limit of open files (ulimit -n)."));
        QTimer::singleShot(0, this, &WorkerProcess::end); // never from inside start()
        return;
    }
    process_.start(command_.program, command_.arguments);
    output_.closeWriteEnd();
    if (helloLimitMs() > 0) {
        silence_.start(helloLimitMs());
    }
    notice_.start(patience_.noticeMs);
}

int WorkerProcess::helloLimitMs() const {
    return command_.remote ? patience_.remoteHelloMs : patience_.helloMs;
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
    setReading(true); // one that waits for its pipe could not hear this
    QTimer::singleShot(patience_.shutdownMs, this, &WorkerProcess::terminate);
}

void WorkerProcess::terminate() {
    process_.terminate();
    QTimer::singleShot(patience_.terminateMs, this, &WorkerProcess::kill);
}

void WorkerProcess::kill() {
    process_.kill();
}

void WorkerProcess::setReading(bool reading) {
    if (reading == reading_ || finished_) {
        return;
    }
    reading_ = reading;
    output_.setReading(reading);
    if (!reading) {
        silence_.stop();
        return;
    }
    if (stream_.greeted()) {
        silence_.start(patience_.silenceMs);
    }
    QMetaObject::invokeMethod(this, &WorkerProcess::deliver, Qt::QueuedConnection);
}

/// What an ended worker left in the pipe; no more than a MiB, as a child of its own may still write there.
void WorkerProcess::readRest() {
    reading_ = true;
    for (int piece = 0; piece < 16; ++piece) {
        const QByteArray bytes = output_.read();
        if (bytes.isEmpty()) {
            return;
        }
        if (!error_) {
            stream_.feed({bytes.constData(), static_cast<std::size_t>(bytes.size())});
        }
    }
}

void WorkerProcess::readOutput() {
    const QByteArray bytes = output_.read();
    if (bytes.isEmpty() || error_) {
        return;
    }
    stream_.feed({bytes.constData(), static_cast<std::size_t>(bytes.size())});
    const QPointer<WorkerProcess> self(this);
    deliver();
    if (self && stream_.greeted() && !error_) {
        notice_.stop();
        if (reading_) {
            silence_.start(patience_.silenceMs);
        }
    }
}

void WorkerProcess::deliver() {
    const QPointer<WorkerProcess> self(this); // a receiver may delete us
    while (!error_ && reading_) {
        auto item = stream_.next();
        if (!item) {
            return;
        }
        if (!*item) {
            Error error = item->error();
            if (error.code == ErrorCode::bad_input) {
                error.code = ErrorCode::io; // the stream is damaged; nothing that the user gave is
            }
            giveUp(stream_.greeted() || error.code != ErrorCode::io
                       ? std::move(error)
                       : noHelloError(QStringLiteral("said no hello within its first 64 KiB")));
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
    readRest();
    finished_ = true;
    deliver();
    if (!self) {
        return;
    }
    // How it died says more than that its last line is cut, so a crash is named first.
    const bool clean = status == QProcess::NormalExit && exitCode == 0;
    if (!error_ && !clean && !shutdownAsked_) {
        error_ = deathError(exitCode, status);
    }
    if (!error_ && !shutdownAsked_ && !stream_.greeted()) {
        error_ = noHelloError(QStringLiteral("ended before it said hello"));
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
    if (!stream_.greeted()) {
        giveUp(noHelloError(
            QStringLiteral("did not say hello within %1 s").arg(QString::number(helloLimitMs() / 1000.0))));
        return;
    }
    giveUp(sentence(ErrorCode::device,
                    QStringLiteral("The worker was lost: nothing was heard of it for %1 s.")
                        .arg(patience_.silenceMs / 1000.0),
                    QStringLiteral("A hung driver, a suspended machine or a dead network does this. What was "
                                   "measured is kept; resume the campaign.")));
}

void WorkerProcess::giveUp(Error error) {
    if (!error_) {
        error_ = std::move(error);
    }
    terminate(); // onFinished() follows
}

void WorkerProcess::end() {
    if (ended_) {
        return;
    }
    ended_ = true;
    silence_.stop();
    notice_.stop();
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
    if (!stream_.greeted()) {
        return noHelloError(QStringLiteral("ended with exit code %1 before it said hello").arg(exitCode),
                            exitCode);
    }
    return sentence(ErrorCode::internal, QStringLiteral("The worker ended with exit code %1.").arg(exitCode),
                    lastLogLine());
}

Error WorkerProcess::noHelloError(const QString& what, int exitCode) const {
    constexpr int notExecutable = 126; // as shells say it, here and behind ssh and srun
    constexpr int notFound = 127;
    const QString words = lastWords();
    const QString ending =
        words.isEmpty() ? QStringLiteral(". It printed nothing.") : QStringLiteral(". %1").arg(words);
    if (!command_.remote) {
        return sentence(
            ErrorCode::io, QStringLiteral("The worker %1 %2%3").arg(command_.program, what, ending),
            QStringLiteral("Start it in a terminal to see why: %1 selftest").arg(command_.program));
    }
    QString hint =
        QStringLiteral("Try `%1 true` in a terminal: it must end by itself, without asking for anything.")
            .arg(command_.launcher.join(QLatin1Char(' ')));
    if (exitCode == notFound || exitCode == notExecutable) {
        hint = QStringLiteral("%1 must be on the PATH there that a login without a terminal has; or set "
                              "QUANTSCOPE_WORKER to its full path on that host.")
                   .arg(command_.worker);
    }
    return sentence(ErrorCode::io,
                    QStringLiteral("The worker behind \"%1\" %2%3")
                        .arg(command_.launcher.join(QLatin1Char(' ')), what, ending),
                    hint);
}

QString WorkerProcess::lastWords() const {
    constexpr std::size_t lines = 3;
    const std::string_view log(log_.constData(), static_cast<std::size_t>(log_.size()));
    const std::string err = quoted_last_lines(log, lines);
    const std::string out = quoted_last_lines(stream_.banner(), lines);
    QStringList words;
    if (!err.empty()) {
        words << QStringLiteral("Last on its stderr: %1.").arg(QString::fromStdString(err));
    }
    if (!out.empty()) {
        words << QStringLiteral("Last on its stdout: %1.").arg(QString::fromStdString(out));
    }
    return words.join(QLatin1Char(' '));
}

QString WorkerProcess::lastLogLine() const {
    const std::string_view log(log_.constData(), static_cast<std::size_t>(log_.size()));
    const std::string line = quoted_last_lines(log, 1);
    return line.empty() ? QString()
                        : QStringLiteral("Its last log line: %1.").arg(QString::fromStdString(line));
}

} // namespace quantscope::campaign
