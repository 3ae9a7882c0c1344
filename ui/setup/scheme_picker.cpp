// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/scheme_picker.h"

#include "ui/setup/check_box.h"
#include "ui/setup/hint_label.h"

#include <QVBoxLayout>

#include <algorithm>

namespace quantscope::ui {

SchemePicker::SchemePicker(QWidget* parent)
    : QWidget(parent), layout_(new QVBoxLayout(this)),
      waiting_(new HintLabel(QStringLiteral("Asking the engine which schemes it has…"))) {
    layout_->setContentsMargins(0, 0, 0, 0);
    layout_->setSpacing(1);
    layout_->addWidget(waiting_);
}

void SchemePicker::setAvailable(const QList<storage::SchemeInfo>& schemes) {
    available_ = schemes;
    rebuild();
    Q_EMIT changed();
}

void SchemePicker::setTicked(const QStringList& ids) {
    ticked_ = ids;
    ticked_.removeDuplicates();
    rebuild();
    Q_EMIT changed();
}

QStringList SchemePicker::ticked() const {
    QStringList ordered;
    for (const storage::SchemeInfo& scheme : available_)
        if (ticked_.contains(scheme.id))
            ordered += scheme.id;
    for (const QString& id : ticked_)
        if (!ordered.contains(id))
            ordered += id;
    return ordered;
}

QStringList SchemePicker::unknownTicked() const {
    if (available_.isEmpty())
        return {};
    QStringList unknown = ticked_;
    for (const storage::SchemeInfo& scheme : available_)
        unknown.removeAll(scheme.id);
    return unknown;
}

void SchemePicker::addRow(const storage::SchemeInfo& scheme, bool known) {
    auto* row = new QWidget;
    auto* box = new CheckBox(scheme.label.isEmpty() ? scheme.id : scheme.label);
    box->setObjectName(QStringLiteral("scheme-") + scheme.id);
    box->setChecked(ticked_.contains(scheme.id));
    box->setAccessibleDescription(scheme.summary);
    auto* hint =
        new HintLabel(known ? scheme.summary : QStringLiteral("This engine does not know it: untick it."));
    hint->setIndent(box->iconSize().width() + 8);
    auto* layout = new QVBoxLayout(row);
    layout->setContentsMargins(0, 0, 0, 4);
    layout->setSpacing(0);
    layout->addWidget(box);
    layout->addWidget(hint);
    layout_->addWidget(row);
    rows_ += row;
    connect(box, &QCheckBox::toggled, this, [this, id = scheme.id](bool on) {
        ticked_.removeAll(id);
        if (on)
            ticked_ += id;
        Q_EMIT changed();
    });
}

void SchemePicker::rebuild() {
    qDeleteAll(rows_);
    rows_.clear();
    waiting_->setVisible(available_.isEmpty());
    for (const storage::SchemeInfo& scheme : available_)
        addRow(scheme, true);
    for (const QString& id : unknownTicked())
        addRow({id, id, {}, 0, 0, 0}, false);
}

} // namespace quantscope::ui
