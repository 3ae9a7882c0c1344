// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"

#include <QJsonObject>
#include <QList>
#include <QStringList>
#include <optional>

namespace quantscope::storage {

/// Reads typed fields of an untrusted JSON object. An absent field leaves its target alone; the first field
/// of a wrong type is kept as the error, with its place ("sampling.top_p").
class JsonFields {
  public:
    JsonFields(QJsonObject object, QString place) : object_(std::move(object)), place_(std::move(place)) {}

    void read(const char* name, QString& target);
    void read(const char* name, bool& target);
    void read(const char* name, int& target);
    void read(const char* name, double& target);
    void read(const char* name, quint64& target); ///< a decimal string, or a number that is one exactly
    void read(const char* name, std::optional<double>& target);
    void read(const char* name, QStringList& target);
    void read(const char* name, QList<int>& target);
    [[nodiscard]] JsonFields child(const char* name); ///< an object; empty when absent
    void adopt(const JsonFields& child);              ///< takes over a child's error

    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  private:
    [[nodiscard]] QString placeOf(const char* name) const;
    [[nodiscard]] std::optional<QJsonValue> find(const char* name) const;
    void wrong(const QString& place, const char* expected, const QJsonValue& found);

    QJsonObject object_;
    QString place_; ///< "" or "sampling."
    std::optional<Error> error_;
};

/// A JSON value as a short text for a message: its type, and itself where it is short.
[[nodiscard]] QString describe(const QJsonValue& value);

/// A whole number within int, if the value is exactly that.
[[nodiscard]] std::optional<int> wholeNumber(const QJsonValue& value);

} // namespace quantscope::storage
