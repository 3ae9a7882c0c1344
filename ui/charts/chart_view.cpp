// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/chart_view.h"

#include "ui/charts/chart_scene.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QStyle>
#include <QToolTip>

#include <algorithm>

namespace quantscope::ui {

ChartView::ChartView(ChartKind kind, QWidget* parent)
    : QGraphicsView(parent), kind_(kind), scene_(new ChartScene(kind, this)) {
    options_.showTitle = false;
    setScene(scene_);
    setFrameShape(QFrame::NoFrame);
    setAlignment(Qt::AlignLeft | Qt::AlignTop);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    setMouseTracking(true);
    viewport()->setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    applyPalette();
    rebuild();
}

void ChartView::setSummary(const storage::CampaignSummary& summary) {
    summary_ = summary;
    rebuild();
}

void ChartView::setAxis(XMetric metric, bool logX) {
    options_.xMetric = metric;
    options_.logX = logX;
    rebuild();
}

void ChartView::setSelectedRun(storage::Id runId) {
    selected_ = runId;
    scene_->layer()->setSelected(runId);
}

void ChartView::rebuild() {
    scene_->setSummary(summary_, options_);
    layOutScene();
}

void ChartView::applyPalette() {
    options_.dark = isDark(palette());
    scene_->setStyle(ChartTheme::of(palette()), font());
}

/// As large as the viewport, or taller with a scroll bar when rows and legend need it.
void ChartView::layOutScene() {
    const QSizeF shown = maximumViewportSize();
    scene_->layOut(shown);
    const qreal needed = scene_->minimumHeight();
    if (needed > shown.height())
        scene_->layOut(QSizeF(shown.width() - verticalScrollBarWidth(), needed));
}

int ChartView::verticalScrollBarWidth() const {
    return style()->pixelMetric(QStyle::PM_ScrollBarExtent, nullptr, this);
}

QSize ChartView::sizeHint() const {
    return {720, 380};
}

QSize ChartView::minimumSizeHint() const {
    return {280, 160};
}

void ChartView::resizeEvent(QResizeEvent* event) {
    QGraphicsView::resizeEvent(event);
    layOutScene();
}

void ChartView::changeEvent(QEvent* event) {
    QGraphicsView::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) {
        applyPalette();
        rebuild();
    }
}

void ChartView::mouseMoveEvent(QMouseEvent* event) {
    QGraphicsView::mouseMoveEvent(event);
    const storage::Id run = scene_->layer()->runAt(mapToScene(event->position().toPoint()));
    viewport()->setCursor(run != 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
    if (run != hovered_)
        scene_->layer()->setHovered(run);
    hovered_ = run;
    if (run != 0)
        QToolTip::showText(event->globalPosition().toPoint(), scene_->layer()->toolTipOf(run), this);
    else
        QToolTip::hideText();
}

void ChartView::mousePressEvent(QMouseEvent* event) {
    QGraphicsView::mousePressEvent(event);
    const storage::Id run = scene_->layer()->runAt(mapToScene(event->position().toPoint()));
    if (event->button() != Qt::LeftButton || run == 0)
        return;
    setSelectedRun(run);
    Q_EMIT runSelected(run);
}

void ChartView::leaveEvent(QEvent* event) {
    QGraphicsView::leaveEvent(event);
    hovered_ = 0;
    scene_->layer()->setHovered(0);
}

void ChartView::keyPressEvent(QKeyEvent* event) {
    const bool forward = event->key() == Qt::Key_Right || event->key() == Qt::Key_Down;
    const bool back = event->key() == Qt::Key_Left || event->key() == Qt::Key_Up;
    const QList<storage::Id> order = scene_->layer()->runOrder();
    if ((!forward && !back) || order.isEmpty()) {
        QGraphicsView::keyPressEvent(event);
        return;
    }
    const qsizetype at = order.indexOf(selected_);
    const qsizetype next = at < 0 ? 0 : std::clamp<qsizetype>(at + (forward ? 1 : -1), 0, order.size() - 1);
    setSelectedRun(order[next]);
    Q_EMIT runSelected(order[next]);
}

} // namespace quantscope::ui
