// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/output_pipe.h"

#include <QSocketNotifier>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace quantscope::campaign {
namespace {

constexpr int pieceBytes = 64 * 1024;

void closeEnd(int& end) {
    if (end >= 0) {
        ::close(end);
        end = -1;
    }
}

} // namespace

OutputPipe::OutputPipe(QObject* parent) : QObject(parent) {}

OutputPipe::~OutputPipe() {
    notifier_.reset();
    closeEnd(readEnd_);
    closeEnd(writeEnd_);
}

bool OutputPipe::open() {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    readEnd_ = ends[0];
    writeEnd_ = ends[1];
    // Our end only: the flag belongs to the open file, and the child expects its stdout to block.
    ::fcntl(readEnd_, F_SETFL, ::fcntl(readEnd_, F_GETFL) | O_NONBLOCK);
    notifier_ = std::make_unique<QSocketNotifier>(readEnd_, QSocketNotifier::Read);
    connect(notifier_.get(), &QSocketNotifier::activated, this, &OutputPipe::readyRead);
    return true;
}

void OutputPipe::becomeStdout() const {
    ::dup2(writeEnd_, STDOUT_FILENO);
}

void OutputPipe::closeWriteEnd() {
    closeEnd(writeEnd_);
}

QByteArray OutputPipe::read() {
    if (readEnd_ < 0) {
        return {};
    }
    QByteArray piece(pieceBytes, Qt::Uninitialized);
    ssize_t count = -1;
    do {
        count = ::read(readEnd_, piece.data(), pieceBytes);
    } while (count < 0 && errno == EINTR);
    if (count == 0 || (count < 0 && errno != EAGAIN)) {
        notifier_->setEnabled(false); // the end of a stream is always ready to be read
    }
    piece.truncate(count > 0 ? count : 0);
    return piece;
}

void OutputPipe::setReading(bool reading) {
    if (notifier_) {
        notifier_->setEnabled(reading);
    }
}

} // namespace quantscope::campaign
