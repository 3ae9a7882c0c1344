// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"
#include "ui/charts/chart_options.h"

#include <QGraphicsView>

namespace quantscope::ui {

class ChartScene;

/// A chart in the window: follows size and palette, shows a run's numbers under the pointer, and selects runs
/// by click or arrow keys.
class ChartView : public QGraphicsView {
    Q_OBJECT

  public:
    explicit ChartView(ChartKind kind, QWidget* parent = nullptr);

    void setSummary(const storage::CampaignSummary& summary);
    void setAxis(XMetric metric, bool logX);
    /// Highlights a run; 0 for none. Does not emit.
    void setSelectedRun(storage::Id runId);

    [[nodiscard]] ChartKind kind() const { return kind_; }
    /// The axis shown, on the ground shown: what an export should look like.
    [[nodiscard]] const ChartOptions& options() const { return options_; }
    [[nodiscard]] const ChartScene* chartScene() const { return scene_; }

    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override;

  Q_SIGNALS:
    void runSelected(quantscope::storage::Id runId);

  protected:
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

  private:
    void applyPalette();
    void layOutScene();
    [[nodiscard]] int verticalScrollBarWidth() const;
    void rebuild();

    ChartKind kind_;
    ChartOptions options_;
    ChartScene* scene_;
    storage::CampaignSummary summary_;
    storage::Id selected_ = 0;
    storage::Id hovered_ = 0;
};

} // namespace quantscope::ui
