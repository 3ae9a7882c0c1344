// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

class QWidget;

namespace quantscope::ui {

/// What this is, its version and its licences. Not modal.
void showAbout(QWidget* window);

/// The keys that work in the window. Not modal.
void showShortcuts(QWidget* window);

} // namespace quantscope::ui
