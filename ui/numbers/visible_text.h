// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

namespace quantscope::ui {

/// Names and messages of unknown origin as they may stand in a report or a terminal: characters that a reader
/// does not see but that change what he sees (controls, escapes, changes of direction) are written out, as
/// "\u202e". Line ends and tabs stay.
[[nodiscard]] QString visibleText(const QString& text);

} // namespace quantscope::ui
