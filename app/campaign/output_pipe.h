// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QObject>

#include <memory>

class QSocketNotifier;

namespace quantscope::campaign {

/// A child's stdout that one may stop reading. QProcess reads whatever comes into a buffer without a bound; a
/// pipe that is not read fills (64 KiB) and holds the child at its next write.
class OutputPipe : public QObject {
    Q_OBJECT

  public:
    explicit OutputPipe(QObject* parent = nullptr);
    ~OutputPipe() override;

    [[nodiscard]] bool open(); ///< false: the process has no descriptor left
    /// For the child, between fork and exec: makes the pipe its stdout.
    void becomeStdout() const;
    void closeWriteEnd(); ///< once the child has it

    /// What is there now, at most 64 KiB; empty when there is nothing, for now or for good.
    [[nodiscard]] QByteArray read();
    void setReading(bool reading); ///< whether readyRead() is told; true at first

  Q_SIGNALS:
    void readyRead();

  private:
    int readEnd_ = -1;
    int writeEnd_ = -1;
    std::unique_ptr<QSocketNotifier> notifier_;
};

} // namespace quantscope::campaign
