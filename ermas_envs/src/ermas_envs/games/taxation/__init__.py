"""Income taxes, which both economies have: brackets, rules that set rates, collection, Saez, welfare (SPEC 10–12)."""
