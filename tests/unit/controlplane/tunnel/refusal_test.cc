// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/refusal.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace magnetar {
namespace {

TEST(Refusal, EveryReasonHasALabelOfItsOwn) {
  std::set<std::string_view> labels;
  for (const RefusalRule& rule : kRefusalRules) {
    SCOPED_TRACE(rule.label);
    EXPECT_FALSE(rule.label.empty());
    EXPECT_FALSE(rule.text.empty());
    EXPECT_TRUE(labels.insert(rule.label).second);
  }
}

TEST(Refusal, CertificateLabelsAreThoseOfThePki) {
  for (unsigned i = 0; i <= static_cast<unsigned>(pki::VerifyError::kBadNetwork); ++i) {
    const auto error = static_cast<pki::VerifyError>(i);
    EXPECT_EQ(label(refusal_of(error)), "cert_" + std::string(pki::label(error)));
  }
}

}  // namespace
}  // namespace magnetar
