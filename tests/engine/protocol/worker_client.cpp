// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/protocol/worker_client.h"

namespace quantscope {

WorkerClient::WorkerClient(const QString& binary, const QStringList& arguments,
                           const QProcessEnvironment& environment) {
    process_.setProcessEnvironment(environment);
    process_.setProcessChannelMode(QProcess::ForwardedErrorChannel);
    process_.start(binary, arguments);
    if (!process_.waitForStarted(10000)) {
        error_ = "cannot start " + binary.toStdString();
    }
}

WorkerClient::~WorkerClient() {
    if (process_.state() != QProcess::NotRunning) {
        process_.kill();
        process_.waitForFinished(5000);
    }
}

void WorkerClient::send(const protocol::Request& request) {
    const auto line = protocol::encode_request(request);
    send_raw(line ? QByteArray::fromStdString(*line) : QByteArray("not encodable\n"));
}

void WorkerClient::send_raw(const QByteArray& bytes) {
    process_.write(bytes);
    while (process_.bytesToWrite() > 0 && process_.waitForBytesWritten(5000)) {
    }
}

void WorkerClient::clear() {
    events_.clear();
    cursor_ = 0;
}

bool WorkerClient::read_more() {
    if (process_.bytesAvailable() == 0) {
        process_.waitForReadyRead(100);
    }
    const QByteArray more = process_.readAllStandardOutput();
    const bool ended = more.isEmpty() && process_.state() == QProcess::NotRunning;
    bytes_ += more;
    stream_.feed(std::string_view(more.constData(), std::size_t(more.size())));
    if (ended) {
        stream_.finish();
    }
    while (auto event = stream_.next()) {
        if (*event) {
            events_.push_back(**event);
        } else {
            error_ = event->error().message;
        }
    }
    return !ended;
}

int WorkerClient::close_stdin() {
    process_.closeWriteChannel();
    QElapsedTimer timer;
    timer.start();
    while (timer.elapsed() < 10000 && read_more()) {
    }
    const bool well =
        process_.state() == QProcess::NotRunning && process_.exitStatus() == QProcess::NormalExit;
    return well ? process_.exitCode() : -1;
}

} // namespace quantscope
