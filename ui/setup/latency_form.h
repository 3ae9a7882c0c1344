// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QWidget>

class QSpinBox;

namespace quantscope::ui {

/// What one timed request looks like, and how many there are. Whether latency is measured at all is asked
/// elsewhere.
class LatencyForm : public QWidget {
    Q_OBJECT

  public:
    explicit LatencyForm(QWidget* parent = nullptr);

    /// `enabled` is left as it is in a default LatencySettings.
    [[nodiscard]] storage::LatencySettings value() const;
    void setValue(const storage::LatencySettings& latency);

  Q_SIGNALS:
    void changed();

  private:
    QSpinBox* promptTokens_;
    QSpinBox* outputTokens_;
    QSpinBox* requests_;
};

} // namespace quantscope::ui
