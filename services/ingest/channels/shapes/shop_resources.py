"""What a shop's webhooks are about, by their topic, else by the fields of what they carry.

Sources, read 2026-11: shopify.dev, "WebhookSubscriptionTopic" (as far as its stored text goes, the rest from memory),
"REST Admin API" (resources); woocommerce.github.io/woocommerce-rest-api-docs (resources, topics).

Only orders and parcels are told on. All else is known by name: a shop may be told to send it, and nobody need look.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

IGNORED = "ignored"
ORDER = "order.changed"

TOPIC_RESOURCES: Mapping[str, str] = {
    "orders": "order",
    "fulfillments": "fulfillment",
    "draft_orders": "draft_order",
    "fulfillment_orders": "fulfillment_order",
    "fulfillment_events": "fulfillment_event",
    "checkouts": "checkout",
    "carts": "cart",
    "refunds": "refund",
    "customers": "customer",
    "products": "product",
    "order_transactions": "transaction",
    "product_listings": "product_listing",
    "inventory_levels": "inventory",
    "inventory_items": "inventory",
    "collections": "collection",
    "themes": "theme",
    "locations": "location",
    "disputes": "dispute",
    "tender_transactions": "tender_transaction",
    "bulk_operations": "bulk_operation",
    "discounts": "discount",
    "variants": "variant",
}
"""The first word of a topic -> what it is about, where they differ: Shopify writes the plural."""

WITHOUT_AN_ORDER = (
    "orders/delete",
    "orders/edited",
    "orders/link_requested",
    "orders/risk_assessment_changed",
    "orders/shopify_protect_eligibility_changed",
    "order.deleted",
)
"""Topics of an order that carry no order: only its id, or what else changed. An edited order is told as updated too."""

KINDS: Mapping[str, str] = {
    "order": ORDER,
    "fulfillment": ORDER,
    **dict.fromkeys(
        (
            *(
                "draft_order",
                "fulfillment_order",
                "fulfillment_event",
                "fulfillment_holds",
                "fulfillment_service",
            ),
            *("checkout", "cart", "refund", "returns", "return", "transaction", "risk", "dispute"),
            *(
                "customer",
                "customer_groups",
                "customer_payment_methods",
                "customer_account_settings",
            ),
            *("customers_email_marketing_consent", "customers_marketing_consent"),
            *("customers_merge", "customers_purchasing_summary", "redaction", "segments"),
            *("company", "companies", "company_contacts", "company_contact_roles"),
            *("company_locations", "product", "product_listing", "product_feeds"),
            *("product_publications", "variant", "scheduled_product_listings", "review"),
            *(
                "coupon",
                "gift_card",
                "discount",
                "price_rule",
                "category",
                "attribute",
                "order_note",
            ),
            *("collection", "collection_listings", "collection_publications", "publications"),
            *(
                "inventory",
                "inventory_shipments",
                "inventory_transfers",
                "location",
                "shipping_zone",
            ),
            *(
                "line_item",
                "shipping_line",
                "order_edit",
                "tender_transaction",
                "payment_schedules",
                "payout",
            ),
            *("payment_terms", "reverse_deliveries", "reverse_fulfillment_orders"),
            *("subscription_billing_attempts", "subscription_billing_cycles"),
            *("subscription_billing_cycle_edits", "subscription_contracts", "selling_plan_groups"),
            *("app", "app_charge", "app_purchases_one_time", "app_subscriptions", "audit_events"),
            *("bulk_operation", "channels", "domains", "locales", "markets", "metafield"),
            *("metafield_definitions", "metaobjects", "profiles", "shop", "theme", "webhook"),
            *("finance_app_staff_member", "finance_kyc_information", "tax_partnerships"),
            *("tax_services", "tax_summaries", "delivery_promise_settings"),
            *("checkout_and_accounts_configurations", "action", *WITHOUT_AN_ORDER),
        ),
        IGNORED,
    ),
}
"""What it is about -> what becomes of it."""

MARKS: Sequence[tuple[str, frozenset[str]]] = tuple(
    (name, frozenset(fields.split()))
    for name, fields in (
        ("fulfillment_order", "request_status"),
        ("fulfillment_order", "assigned_location_id"),
        ("fulfillment_order", "fulfillment_order"),
        ("fulfillment_event", "fulfillment_id happened_at"),
        ("fulfillment", "order_id tracking_number"),
        ("draft_order", "invoice_sent_at"),
        ("checkout", "abandoned_checkout_url"),
        ("refund", "refund_line_items"),
        ("refund", "amount refunded_by"),
        ("order_edit", "order_edit"),
        ("order", "id financial_status"),
        ("order", "id order_number line_items"),
        ("order", "id order_key status"),
        ("order", "id line_items customer billing_address"),
        ("cart", "token line_items note"),
        ("risk", "recommendation score"),
        ("risk", "risks"),
        ("product_listing", "product_id variants"),
        ("product", "product_type variants"),
        ("product", "regular_price permalink"),
        ("variant", "inventory_quantity product_id"),
        ("inventory", "inventory_item_id location_id"),
        ("inventory", "inventory_items"),
        ("inventory", "sku tracked cost"),
        ("review", "review rating product_id"),
        ("webhook", "topic delivery_url"),
        ("webhook", "topic address"),
        ("customer", "email role username"),
        ("customer", "email orders_count"),
        ("customer", "email addresses"),
        ("customer", "customer_id address1 zip"),
        ("redaction", "shop_domain shop_id"),
        ("transaction", "amount kind"),
        ("transaction", "amount source_type"),
        ("dispute", "amount evidence_due_by"),
        ("tender_transaction", "amount payment_method remote_reference"),
        ("coupon", "code discount_type"),
        ("discount", "code price_rule_id"),
        ("price_rule", "target_selection value_type"),
        ("shipping_line", "carrier_identifier price"),
        ("line_item", "variant_id quantity"),
        ("order_note", "note customer_note"),
        ("app_charge", "api_client_id price return_url"),
        ("bulk_operation", "completed_at error_code type"),
        ("metafield", "namespace key value"),
        ("shipping_zone", "countries weight_based_shipping_rates"),
        ("shop", "money_format myshopify_domain"),
        ("theme", "role theme_store_id"),
        ("location", "address1 legacy"),
        ("collection", "handle sort_order published_scope"),
        ("collection", "collection_id product_id"),
        ("gift_card", "balance initial_value"),
        ("payout", "amount summary date"),
        ("fulfillment_service", "callback_url tracking_support"),
        ("category", "slug parent display"),
        ("attribute", "slug menu_order count"),
        ("attribute", "slug order_by has_archives"),
        ("action", "action arg"),
    )
)
"""Fields by which something is known; the first that fits."""


def kind_of(topic: str, resource: Mapping[str, Any]) -> str | None:
    """Return what a webhook is about: by its topic, else by its fields; `None` for what is none of a shop's."""
    told = topic.lower()
    if told in WITHOUT_AN_ORDER:
        return told
    word = re.split(r"[/.]", told)[0]
    named = TOPIC_RESOURCES.get(word, word)
    if named in KINDS:
        return named
    return next((name for name, marks in MARKS if marks <= resource.keys()), None)
