"""The doors to providers: plain values in, plain values out, one attempt each.

Whatever goes wrong behind a door becomes one of the gateway's ``failures``, which says whether the
provider may bill the attempt. No accounting is done here.
"""
