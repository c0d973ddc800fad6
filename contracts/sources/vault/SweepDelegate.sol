// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeTransferLib} from "solady/src/utils/SafeTransferLib.sol";

/// @notice What a legacy deposit address delegates to (EIP-7702), so that its tokens are moved without gas being sent to
/// it: to the one wallet of its compartment, and nowhere else. One is deployed per wallet.
/// @dev No storage, no signature, no other call. Whoever calls it, only the wallet gains.
contract SweepDelegate {
    address public immutable wallet;

    event Swept(address indexed token, uint256 amount);

    error WalletIsZero();

    constructor(address wallet_) {
        require(wallet_ != address(0), WalletIsZero());
        wallet = wallet_;
    }

    /// ETH arrives as before the delegation.
    receive() external payable {}

    /// @notice Pays the whole balance of a token of the delegating address to the wallet. Anybody may.
    function sweep(address token) external {
        uint256 amount = SafeTransferLib.safeTransferAll(token, wallet);
        emit Swept(token, amount);
    }
}
