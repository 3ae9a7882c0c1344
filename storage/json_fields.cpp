// SPDX-License-Identifier: Apache-2.0
#include "storage/json_fields.h"

#include <QJsonArray>
#include <cmath>
#include <limits>

namespace quantscope::storage {
namespace {

constexpr double kExactIntegers = 9007199254740992.0; // 2^53

} // namespace

QString describe(const QJsonValue& value) {
    switch (value.type()) {
    case QJsonValue::Null: return QStringLiteral("null");
    case QJsonValue::Bool: return value.toBool() ? QStringLiteral("true") : QStringLiteral("false");
    case QJsonValue::Double: return QString::number(value.toDouble(), 'g', 12);
    case QJsonValue::String: {
        const QString text = value.toString();
        return QStringLiteral("\"%1\"").arg(text.size() > 40 ? text.left(37) + QStringLiteral("...") : text);
    }
    case QJsonValue::Array: return QStringLiteral("an array");
    case QJsonValue::Object: return QStringLiteral("an object");
    case QJsonValue::Undefined: break;
    }
    return QStringLiteral("nothing");
}

std::optional<int> wholeNumber(const QJsonValue& value) {
    if (!value.isDouble())
        return std::nullopt;
    const double number = value.toDouble();
    if (number != std::floor(number) || number < std::numeric_limits<int>::min() ||
        number > std::numeric_limits<int>::max())
        return std::nullopt;
    return static_cast<int>(number);
}

QString JsonFields::placeOf(const char* name) const {
    return place_ + QLatin1String(name);
}

std::optional<QJsonValue> JsonFields::find(const char* name) const {
    const auto it = object_.constFind(QLatin1String(name));
    if (it == object_.constEnd())
        return std::nullopt;
    return it.value();
}

void JsonFields::wrong(const QString& place, const char* expected, const QJsonValue& found) {
    if (!error_)
        error_ = Error{ErrorKind::BadInput,
                       QStringLiteral("Field %1: expected %2, found %3.")
                           .arg(place, QLatin1String(expected), describe(found)),
                       {}};
}

void JsonFields::read(const char* name, QString& target) {
    if (const auto value = find(name)) {
        if (value->isString())
            target = value->toString();
        else
            wrong(placeOf(name), "a text", *value);
    }
}

void JsonFields::read(const char* name, bool& target) {
    if (const auto value = find(name)) {
        if (value->isBool())
            target = value->toBool();
        else
            wrong(placeOf(name), "true or false", *value);
    }
}

void JsonFields::read(const char* name, int& target) {
    if (const auto value = find(name)) {
        if (const auto number = wholeNumber(*value))
            target = *number;
        else
            wrong(placeOf(name), "a whole number", *value);
    }
}

void JsonFields::read(const char* name, double& target) {
    if (const auto value = find(name)) {
        if (value->isDouble())
            target = value->toDouble();
        else
            wrong(placeOf(name), "a number", *value);
    }
}

void JsonFields::read(const char* name, quint64& target) {
    const auto value = find(name);
    if (!value)
        return;
    bool ok = false;
    if (value->isString()) {
        const quint64 number = value->toString().toULongLong(&ok);
        if (ok)
            target = number;
    } else if (value->isDouble()) {
        const double number = value->toDouble();
        ok = number >= 0 && number <= kExactIntegers && number == std::floor(number);
        if (ok)
            target = static_cast<quint64>(number);
    }
    if (!ok)
        wrong(placeOf(name), "a whole number from 0 to 2^64 - 1, as text", *value);
}

void JsonFields::read(const char* name, std::optional<double>& target) {
    if (const auto value = find(name)) {
        if (value->isNull())
            target.reset();
        else if (value->isDouble())
            target = value->toDouble();
        else
            wrong(placeOf(name), "a number or null", *value);
    }
}

void JsonFields::read(const char* name, QStringList& target) {
    const auto value = find(name);
    if (!value)
        return;
    if (!value->isArray())
        return wrong(placeOf(name), "an array of texts", *value);
    QStringList texts;
    const QJsonArray array = value->toArray();
    for (qsizetype i = 0; i < array.size(); ++i) {
        if (!array[i].isString())
            return wrong(QStringLiteral("%1[%2]").arg(placeOf(name)).arg(i), "a text", array[i]);
        texts << array[i].toString();
    }
    target = texts;
}

void JsonFields::read(const char* name, QList<int>& target) {
    const auto value = find(name);
    if (!value)
        return;
    if (!value->isArray())
        return wrong(placeOf(name), "an array of whole numbers", *value);
    QList<int> numbers;
    const QJsonArray array = value->toArray();
    for (qsizetype i = 0; i < array.size(); ++i) {
        const auto number = wholeNumber(array[i]);
        if (!number)
            return wrong(QStringLiteral("%1[%2]").arg(placeOf(name)).arg(i), "a whole number", array[i]);
        numbers << *number;
    }
    target = numbers;
}

JsonFields JsonFields::child(const char* name) {
    const auto value = find(name);
    if (value && !value->isObject())
        wrong(placeOf(name), "an object", *value);
    return {value ? value->toObject() : QJsonObject(), placeOf(name) + QLatin1Char('.')};
}

void JsonFields::adopt(const JsonFields& child) {
    if (!error_)
        error_ = child.error_;
}

} // namespace quantscope::storage
