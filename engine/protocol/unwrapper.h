// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/protocol/messages.h"

#include <optional>
#include <string>
#include <string_view>

namespace quantscope::protocol {

/// Follows one JSON object through pieces of text to the '}' that closes it; linear, whatever comes.
class ObjectEnd {
  public:
    /// Bytes of `text` up to and with that '}'; nothing when it has not come yet.
    std::optional<std::size_t> feed(std::string_view text);

  private:
    std::size_t depth_ = 0;
    bool in_string_ = false;
    bool escaped_ = false;
};

/// Takes off what a launcher puts around the worker's lines: a banner without a line end before `hello`, and
/// the labels of `srun --label` ("0: "), `mpirun --tag-output`, `pdsh` or `ts` before every line. What stands
/// before `hello` is the label if lines begin with it afterwards. srun cuts what a task writes into messages
/// of about 1 KiB and, with --label, ends and labels each of them as a line: under a label pieces are put
/// together again. A stream whose `hello` is bare is passed on as it is.
class Unwrapper {
  public:
    /// The JSON text of `hello`, if this line brings it (or its last piece); nothing for any other line.
    std::optional<std::string> find_hello(const std::string& line);

    /// After `hello`: the line's event, nothing for a piece of one. Errors: bad_input (pieces beyond
    /// kMaxLineBytes, a piece without its label).
    Expected<std::optional<std::string>> unwrap(std::string line);

    /// Part of an event has come.
    [[nodiscard]] bool in_pieces() const { return !pieces_.empty(); }

  private:
    bool has_label(const std::string& line); ///< may shorten the label to what lines have in common
    std::optional<std::string> whole_hello(const std::string& line);
    std::optional<std::string> continue_hello(std::string_view piece);
    Expected<std::optional<std::string>> add_piece(std::string_view piece);

    std::string label_;           ///< what stood before `hello` in its line
    bool label_is_known_ = false; ///< shortened by a later line
    bool bare_ = true;            ///< nothing stood around `hello`
    std::string pieces_;          ///< the beginning of an object, from its '{'
    ObjectEnd pieces_end_;        ///< has been fed with pieces_
};

} // namespace quantscope::protocol
