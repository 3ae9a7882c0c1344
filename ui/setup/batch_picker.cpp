// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/batch_picker.h"

#include "engine/limits/campaign_limits.h"
#include "ui/setup/check_box.h"

#include <QGridLayout>

namespace quantscope::ui {

namespace {

constexpr int columns = 4;

} // namespace

BatchPicker::BatchPicker(QWidget* parent) : QWidget(parent), layout_(new QGridLayout(this)) {
    layout_->setContentsMargins(0, 0, 0, 0);
    layout_->setVerticalSpacing(2);
    for (const int size : {1, 2, 4, 8, 16, 32, 64})
        addSize(size);
}

void BatchPicker::addSize(int size) {
    auto* box = new CheckBox(QString::number(size));
    box->setObjectName(QStringLiteral("batch-%1").arg(size));
    box->setAccessibleName(QStringLiteral("Batch size %1").arg(size));
    const int place = static_cast<int>(boxes_.size());
    layout_->addWidget(box, place / columns, place % columns);
    boxes_.insert(size, box);
    connect(box, &QCheckBox::toggled, this, &BatchPicker::changed);
}

QList<int> BatchPicker::ticked() const {
    QList<int> sizes;
    for (auto it = boxes_.begin(); it != boxes_.end(); ++it)
        if (it.value()->isChecked())
            sizes += it.key();
    return sizes;
}

void BatchPicker::setTicked(const QList<int>& sizes) {
    for (const int size : sizes)
        if (limits::batch_size.contains(size) && !boxes_.contains(size))
            addSize(size);
    for (auto it = boxes_.begin(); it != boxes_.end(); ++it)
        it.value()->setChecked(sizes.contains(it.key()));
}

} // namespace quantscope::ui
