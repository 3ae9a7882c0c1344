// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/interrupt_watcher.h"

#include <QSocketNotifier>

#include <csignal>
#include <fcntl.h>
#include <unistd.h>

namespace quantscope::cli {
namespace {

// A signal handler may do little more than write to a descriptor, so it needs one that it can reach.
int pipeEnds[2] = {-1, -1};

void onSignal(int /*number*/) {
    const char byte = 1;
    [[maybe_unused]] const ssize_t written = write(pipeEnds[1], &byte, 1);
}

} // namespace

InterruptWatcher::InterruptWatcher(QObject* parent) : QObject(parent) {
    if (pipe2(pipeEnds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return; // without it, Ctrl-C ends us at once: what is stored stays stored
    }
    notifier_ = new QSocketNotifier(pipeEnds[0], QSocketNotifier::Read, this);
    connect(notifier_, &QSocketNotifier::activated, this, &InterruptWatcher::readPipe);
    std::signal(SIGINT, onSignal);
    std::signal(SIGTERM, onSignal);
}

InterruptWatcher::~InterruptWatcher() {
    if (notifier_ == nullptr) {
        return;
    }
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    delete notifier_;
    close(pipeEnds[0]);
    close(pipeEnds[1]);
}

void InterruptWatcher::readPipe() {
    char byte = 0;
    while (read(pipeEnds[0], &byte, 1) == 1) {
        Q_EMIT interrupted();
    }
}

} // namespace quantscope::cli
